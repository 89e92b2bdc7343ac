/** Why a release by rings did not complete. */
export interface RingReason {
  readonly code:
    | "pilot-failed"
    | "budget-exceeded"
    | "targets-unreachable"
    | "owner-lost"
    | "abort-requested"
    | "deadline-passed"
    | "window-closed"
    | "taken-over"
    | "journal-failed";
  readonly message: string;
}
