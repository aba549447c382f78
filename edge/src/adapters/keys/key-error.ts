import { OperatorError } from '@gridtokenx/runtime/core';

/** Reports a key that cannot be used; the message says what to do, and holds no secret. */
export class KeyError extends OperatorError {
  override readonly name = 'KeyError';

  /** True where the file was good once and is not any more. */
  readonly isDamage: boolean;

  constructor(problem: string, isDamage = false) {
    super({ code: 'key', problem, advice: '' });
    this.isDamage = isDamage;
  }
}
