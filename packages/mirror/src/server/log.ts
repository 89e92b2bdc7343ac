/** Says what happens to the mirror itself, never what a request or an answer holds. */
export type Log = (message: string, facts?: Readonly<Record<string, string | number>>) => void;

/** One line of JSON each. */
export function logTo(write: (line: string) => void): Log {
  return (message, facts = {}) => {
    write(`${JSON.stringify({ time: new Date().toISOString(), message, ...facts })}\n`);
  };
}
