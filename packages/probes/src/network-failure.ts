import { messageOf } from "@bascule/core";

/** What a connection that gave no answer says about the target. */
export interface NetworkFailure {
  readonly message: string;
  /** `false`: this machine could not even ask, which tells nothing about the target. */
  readonly targetsFault: boolean;
}

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection was refused",
  ECONNRESET: "the connection was closed before the answer was complete",
  EPIPE: "the connection was closed before the request was sent",
  EHOSTUNREACH: "the host cannot be reached",
  ENETUNREACH: "the network cannot be reached",
  ETIMEDOUT: "the connection timed out",
  ENOTFOUND: "the host name does not exist",
};

const ours: Readonly<Record<string, string>> = {
  EAI_AGAIN: "the name service of this machine does not answer",
  EMFILE: "this process has too many open files; raise its limit (ulimit -n)",
  ENFILE: "this machine has too many open files; raise its limit (fs.file-max)",
  ENOBUFS: "this machine has no buffers left for another connection",
  ENOMEM: "this machine is out of memory",
  EADDRNOTAVAIL: "this machine has no local port left, or the address is not one to connect to",
  EACCES: "this machine does not allow the connection; look at its firewall",
  EPERM: "this machine does not allow the connection; look at its firewall",
};

/** Puts an error of a socket, of TLS or of the HTTP parser into words. */
export function networkFailure(thrown: unknown): NetworkFailure {
  const code = codeOf(thrown);
  const oursInWords = code === undefined ? undefined : ours[code];
  if (oursInWords !== undefined) return { message: `${oursInWords} (${code})`, targetsFault: false };
  const inWords = code === undefined ? undefined : words[code];
  if (inWords !== undefined) return { message: `${inWords} (${code})`, targetsFault: true };
  // Node throws these before it connects: what we asked it to send cannot be sent.
  if (thrown instanceof TypeError) return { message: thrown.message, targetsFault: false };
  const text = messageOf(thrown).split("\n")[0] || "the connection failed";
  return { message: code === undefined || text.includes(code) ? text : `${text} (${code})`, targetsFault: true };
}

function codeOf(thrown: unknown): string | undefined {
  return thrown instanceof Error && "code" in thrown && typeof thrown.code === "string" ? thrown.code : undefined;
}
