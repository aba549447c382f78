import type { CaseView } from './ports.js';

/** So many windows before the end an unanswered case is an alarm: six hours. */
export const ALARM_WINDOWS = 24;

/** A disputed slot in words. */
export function caseInWords({ meterId, number, state, windowsLeft }: CaseView): string {
  const what = `meter ${meterId}: dispute ${number}`;
  if (state === 'answering') return `${what} is being answered, ${windowsLeft} windows are left`;
  if (state === 'no answer here') return `${what} has no answer in this ledger, ${windowsLeft} windows are left`;
  if (state === 'overdue') return `${what} was not answered in time: the verdict goes against the attestors`;
  return state === 'decided'
    ? `${what} is decided: the utility is to accept the verdict (set_status)`
    : `${what} is ending`;
}

/** True for a case that nobody has answered and whose time is nearly over. */
export function isRunningOut({ state, windowsLeft }: CaseView): boolean {
  return (state === 'answering' || state === 'no answer here') && windowsLeft <= ALARM_WINDOWS;
}
