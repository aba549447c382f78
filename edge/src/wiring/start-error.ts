import { OperatorError } from '@gridtokenx/runtime/core';

/** Reports why nothing can start. The operator can mend it, and the message says how. */
export class StartError extends OperatorError {
  override readonly name = 'StartError';

  constructor(problem: string, options?: ErrorOptions) {
    super({ code: 'cannot-start', problem, advice: '' }, options);
  }
}
