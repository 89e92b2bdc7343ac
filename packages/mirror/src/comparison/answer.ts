/** The answer to a request, as far as it is compared. */
export interface Answer {
  readonly status: number;
  /** Names and values in turn, as they were received. */
  readonly headers: readonly string[];
  readonly body: Uint8Array;
}

/** The values of a header, in the order in which they came. */
export function headerValues(headers: readonly string[], name: string): string[] {
  return headers.filter((_value, index) => index % 2 === 1 && headers[index - 1]?.toLowerCase() === name);
}
