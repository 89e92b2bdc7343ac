/** What went wrong, as a stable code that programs may compare. */
export type ErrorCode =
  | "invalid-input"
  | "window-closed"
  | "concurrent-run"
  | "rolled-back"
  | "rollback-failed"
  | "snapshot-failed"
  | "journal-damaged"
  | "unreachable";

/** The one error class of Bascule. The message says what happened, why, and what to do about it. */
export class BasculeError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "BasculeError";
    this.code = code;
  }
}

/** The message of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
