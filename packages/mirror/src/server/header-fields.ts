import type { IncomingMessage } from "node:http";
import { headerValues } from "../comparison/answer.ts";

/** Tells the shadow that a request is a copy. */
const mirroredHeader = "x-bascule-mirrored";

/** RFC 9110, 7.6.1. */
const connectionFields: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "proxy-connection",
  "te",
  "transfer-encoding",
  "upgrade",
]);

/** What says where a message goes and where it ends stays, even when somebody lists it as an option of the connection. */
const neverDropped: ReadonlySet<string> = new Set(["host", "content-length"]);

type Field = readonly [name: string, value: string];

/** Whether a request is itself a copy; it is then not copied again, so that no circle can arise. */
export function isMirrored(request: IncomingMessage): boolean {
  return request.headers[mirroredHeader] !== undefined;
}

/** Whether a body may follow the head of a request (RFC 9112, 6.3). */
export function hasBody(request: IncomingMessage): boolean {
  const { "content-length": length, "transfer-encoding": encoding } = request.headers;
  return encoding !== undefined || (length !== undefined && Number(length) > 0);
}

/** The header of a request as the primary shall get it: as it came, but for what belongs to the client's connection. */
export function primaryRequestHeaders(request: IncomingMessage, authority: string): string[] {
  const fields = [...endToEnd(request.rawHeaders), ...framingOf(request)];
  // HTTP/1.0 knows no Host, and HTTP/1.1 demands it.
  if (request.headers.host === undefined) fields.push(["Host", authority]);
  if (acceptsTrailers(request)) fields.push(["TE", "trailers"], ["Connection", "keep-alive, TE"]);
  return fields.flat();
}

/** The header of the copy of a request whose body is known whole. */
export function shadowRequestHeaders(request: IncomingMessage, authority: string, bodyBytes: number): string[] {
  const dropped = new Set(["content-length", "expect", "trailer", mirroredHeader]);
  const fields = endToEnd(request.rawHeaders).filter(([name]) => !dropped.has(name.toLowerCase()));
  if (request.headers.host === undefined) fields.push(["Host", authority]);
  if (bodyBytes > 0 || hasLengthByDefault(request.method)) fields.push(["Content-Length", String(bodyBytes)]);
  return [...fields.flat(), mirroredHeader, "1"];
}

/** The header of an upgrade's request as the primary shall get it: the connection is passed on with it. */
export function upgradeRequestHeaders(request: IncomingMessage): Field[] {
  const options = optionsOf(request.rawHeaders);
  const isKept = (name: string) => name === "upgrade" || name === "connection" || !isOfConnection(name, options);
  return fieldsOf(request.rawHeaders).filter(([name]) => isKept(name.toLowerCase()));
}

/** What the client's connection is, as far as it shapes an answer. */
export interface ClientConnection {
  readonly isHttp11: boolean;
  /** This answer is the last one on the connection. */
  readonly isLast: boolean;
}

/**
 * The header of an answer as the client shall get it: field by field as the primary gave it, in its order. What belongs to the
 * connection is said again for the client's own, in the same words where it is the same.
 */
export function answerHeaders(answer: IncomingMessage, client: ClientConnection): string[] {
  const options = optionsOf(answer.rawHeaders);
  const isLengthKnown = answer.headers["content-length"] !== undefined;
  // HTTP/1.0 knows no chunks: there the end of the connection ends a body of unknown length.
  const isLast = client.isLast || options.has("close") || (!client.isHttp11 && !isLengthKnown);
  const isChunked =
    client.isHttp11 && !isLengthKnown && answer.headers["transfer-encoding"]?.toLowerCase() === "chunked";
  let isConnectionSaid = false;
  const fields = fieldsOf(answer.rawHeaders).flatMap(([name, value]): Field[] => {
    switch (name.toLowerCase()) {
      case "connection":
        if (isConnectionSaid || (!isLast && !options.has("keep-alive"))) return [];
        isConnectionSaid = true;
        return [[name, isLast ? "close" : "keep-alive"]];
      case "keep-alive":
        return isLast || !options.has("keep-alive") ? [] : [[name, value]];
      case "transfer-encoding":
        return isChunked ? [[name, value]] : [];
      case "trailer":
        return isChunked ? [[name, value]] : [];
      default:
        return isOfConnection(name.toLowerCase(), options) ? [] : [[name, value]];
    }
  });
  if (isLast && !isConnectionSaid) fields.push(["Connection", "close"]);
  return fields.flat();
}

/** The fields that follow a body in chunks (RFC 9110, 6.5). */
export function trailerFields(rawTrailers: readonly string[]): [string, string][] {
  return fieldsOf(rawTrailers).map(([name, value]) => [name, value]);
}

function endToEnd(raw: readonly string[]): Field[] {
  const options = optionsOf(raw);
  return fieldsOf(raw).filter(([name]) => !isOfConnection(name.toLowerCase(), options));
}

function isOfConnection(name: string, options: ReadonlySet<string>): boolean {
  return connectionFields.has(name) || (options.has(name) && !neverDropped.has(name));
}

/** Node has taken the chunks apart, and puts them together again. */
function framingOf(request: IncomingMessage): Field[] {
  const encoding = headerValues(request.rawHeaders, "transfer-encoding");
  if (encoding.length > 0) return [["Transfer-Encoding", encoding.join(", ")]];
  const isLengthKnown = request.headers["content-length"] !== undefined;
  // Without it Node would announce chunks where there is no body at all.
  return isLengthKnown || !hasLengthByDefault(request.method) ? [] : [["Content-Length", "0"]];
}

function hasLengthByDefault(method: string | undefined): boolean {
  return !["GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "CONNECT"].includes(method ?? "");
}

function acceptsTrailers(request: IncomingMessage): boolean {
  return headerValues(request.rawHeaders, "te").some((value) => /(?:^|,)\s*trailers\s*(?:,|$)/i.test(value));
}

/** What the fields `Connection` name: options such as `close`, and other fields that end at the next hop. */
function optionsOf(raw: readonly string[]): ReadonlySet<string> {
  const values = headerValues(raw, "connection").flatMap((value) => value.split(","));
  return new Set(values.map((option) => option.trim().toLowerCase()));
}

function fieldsOf(raw: readonly string[]): Field[] {
  return raw.flatMap((name, index): Field[] => (index % 2 === 0 ? [[name, raw[index + 1] ?? ""]] : []));
}
