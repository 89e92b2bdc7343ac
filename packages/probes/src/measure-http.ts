import { X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import { evaluateConditions, messageOf, type HttpProbe, type Measurement } from "@bascule/core";
import { probeDefaults, withinLimit, type Clock } from "@bascule/engine";
import { z } from "zod";
import { excerptOf, findDifferences, prepareExpectations, type Expectations } from "./expectations.ts";
import { ask, type HttpAnswer, type HttpQuestion } from "./http-answer.ts";
import { networkFailure } from "./network-failure.ts";
import { redactionOf, type Redact } from "./redaction.ts";

/** What is needed to speak TLS with a place. Certificates are always checked. */
export interface TlsMaterial {
  /** Certificates to trust, PEM. Default: those that Node trusts. */
  readonly ca?: string;
  /** Our own certificate and its key, PEM. */
  readonly cert?: string;
  readonly key?: string;
  /** The name that the certificate must carry. Default: the host of the URL. */
  readonly serverName?: string;
}

/** Where an HTTP probe asks. */
export interface HttpPlace {
  /** The base to which the probe's path is added, for example `http://10.96.0.7:80`. */
  readonly url: string;
  /** Sent along with the probe's own headers, for example the token of the Kubernetes API. Secret. */
  readonly headers?: Readonly<Record<string, string>>;
  readonly tls?: TlsMaterial;
  /**
   * `kubernetesApi`: the URL is the API server's proxy to a Service or a Pod, so a failure of the API server itself says nothing
   * about the target. Default `direct`.
   */
  readonly via?: "direct" | "kubernetesApi";
}

const maxBodyBytes = 1024 * 1024;
const defaultVersionHeader = "x-bascule-version";

/**
 * Asks once over HTTP, on a connection of its own, and judges the answer: by what the probe expects, then by its conditions, which
 * see an answer that is as expected. Redirects are answers and not followed. No answer
 * within the probe's `timeoutMs`, from the start of the connection to the last byte of the body, is a `fail`; `error` means that
 * it could not be measured for a reason that is not the target's. Never throws, and never tells the value of a header it sent.
 */
export async function measureHttp(
  probe: HttpProbe,
  place: HttpPlace,
  clock: Clock,
  signal: AbortSignal,
): Promise<Measurement> {
  return measureAnswer(probe, place, clock, signal, (answer, durationMs) =>
    judgeByConditions(probe, answer, durationMs),
  );
}

/** What an answer that is as expected proves. */
export interface Judgement {
  readonly verdict: Measurement["verdict"];
  /** Without secrets. */
  readonly message: string;
}

/** As {@link measureHttp}, with another judge of an answer that is as expected. */
export async function measureAnswer(
  probe: HttpProbe,
  place: HttpPlace,
  clock: Clock,
  signal: AbortSignal,
  judge: (answer: HttpAnswer, durationMs: number) => Judgement,
): Promise<Measurement> {
  const redact = redactionOf({ ...prefixed("probe", probe.headers), ...prefixed("place", place.headers) });
  const startedAtMs = clock.nowMs();
  const measured = (
    verdict: Measurement["verdict"],
    message: string,
    more: Partial<Measurement> = {},
  ): Measurement => ({
    probe: probe.name,
    verdict,
    startedAtMs,
    durationMs: clock.nowMs() - startedAtMs,
    message,
    ...more,
  });

  let prepared: Prepared;
  try {
    prepared = prepare(probe, place);
  } catch (thrown) {
    return measured("error", `not measured: ${redact(messageOf(thrown))}`);
  }
  const { question, expectations, address } = prepared;
  const isThroughApi = place.via === "kubernetesApi";
  const limitMs = probe.timeoutMs ?? probeDefaults.timeoutMs;
  let isConnected = false;
  const onConnected = () => {
    isConnected = true;
  };
  const noAnswer = (message: string, targetsFault: boolean) =>
    targetsFault && (isConnected || !isThroughApi)
      ? measured("fail", `expected an answer, measured none: ${redact(message)}`, { address })
      : measured(
          "error",
          `not measured: ${isThroughApi && !isConnected ? "the Kubernetes API does not answer: " : ""}${redact(message)}`,
          { address },
        );

  try {
    const limited = await withinLimit(limitMs, clock, signal, (either) => ask({ ...question, onConnected }, either));
    if (limited.kind === "stopped") return measured("inconclusive", "not measured: it was stopped", { address });
    if (limited.kind === "timedOut") return noAnswer(`nothing complete within ${limitMs} ms`, true);
    const answer = limited.result;
    const refusal = isThroughApi ? refusalOfApi(answer, redact) : undefined;
    if (refusal) return measured(refusal.verdict, refusal.message, { address });

    const durationMs = clock.nowMs() - startedAtMs;
    const differences = findDifferences(expectations, answer, durationMs, maxBodyBytes, redact);
    const version = versionOf(answer, probe.versionHeader ?? defaultVersionHeader, redact);
    const more = { address, durationMs, ...(version === undefined ? {} : { answeredBy: version }) };
    if (differences.length > 0) return measured("fail", withBody(differences.join("; "), answer, redact), more);
    const { verdict, message } = judge(answer, durationMs);
    return measured(verdict, message, more);
  } catch (thrown) {
    const failure = networkFailure(thrown);
    return noAnswer(failure.message, failure.targetsFault);
  }
}

function judgeByConditions(probe: HttpProbe, answer: HttpAnswer, durationMs: number): Judgement {
  const found = `${answer.status} in ${durationMs} ms`;
  if (probe.successCondition === undefined && probe.failureCondition === undefined)
    return { verdict: "pass", message: found };
  const { verdict, message } = evaluateConditions(probe, resultOf(answer, durationMs));
  return { verdict, message: `${found}: ${message}` };
}

interface Prepared {
  readonly question: Omit<HttpQuestion, "onConnected">;
  readonly expectations: Expectations;
  /** The address as it may be shown: without user information. */
  readonly address: string;
}

function prepare(probe: HttpProbe, place: HttpPlace): Prepared {
  const url = parseUrl(place.url);
  const { ca, cert, key, serverName } = place.tls ?? {};
  const tls = {
    ...(ca === undefined ? {} : { ca }),
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(serverName === undefined ? {} : { servername: serverName }),
  };
  if (url.protocol === "https:") checkTlsMaterial(tls);
  const base = url.pathname.replace(/\/$/, "");
  if (base !== "" && leavesBase(probe.path)) {
    throw new Error(`path ${JSON.stringify(probe.path)} leaves the address it is added to; remove its ".." segments`);
  }
  return {
    question: {
      url,
      path: `${base}${probe.path.split("#")[0] ?? ""}`,
      method: probe.method ?? "GET",
      headers: mergedHeaders(probe, place),
      body: probe.body,
      tls,
      maxBodyBytes,
    },
    expectations: prepareExpectations(probe),
    address: `${url.protocol}//${url.host}${base}${probe.path}`,
  };
}

/** Wrong material is found here and not at the connection, where it would look like the target's fault. */
function checkTlsMaterial(tls: HttpQuestion["tls"] & Pick<TlsMaterial, "ca">): void {
  try {
    createSecureContext(tls);
    if (tls.ca === undefined) return;
    // Node passes over a certificate authority that it cannot read.
    const certificates = tls.ca.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g);
    if (certificates === null) throw new Error("the certificate authority holds no PEM certificate");
    certificates.forEach((certificate) => new X509Certificate(certificate));
  } catch (cause) {
    throw new Error(`the TLS material for the address cannot be used (ca, cert, key): ${messageOf(cause)}`, { cause });
  }
}

function parseUrl(text: string): URL {
  if (!URL.canParse(text))
    throw new Error(`the address ${JSON.stringify(text)} is not a URL such as http://10.96.0.7:80`);
  const url = new URL(text);
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new Error(`the address ${JSON.stringify(text)} must begin with http:// or https://`);
  }
  return url;
}

/** A path that climbs out of the API server's proxy would ask the API itself, with our token. */
function leavesBase(path: string): boolean {
  const [withoutQuery = ""] = path.split(/[?#]/);
  return decodeURIComponent(withoutQuery).split(/[/\\]/).includes("..");
}

function mergedHeaders(probe: HttpProbe, place: HttpPlace): Readonly<Record<string, string>> {
  const own = lowerCased(probe.headers);
  const needed = lowerCased(place.headers);
  const both = Object.keys(own).find((name) => name in needed);
  if (both !== undefined) {
    throw new Error(
      `the header ${both} of the probe is also needed to reach the target through its proxy; leave it out, or probe the target directly`,
    );
  }
  return { ...own, ...needed };
}

function lowerCased(headers: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}

function prefixed(prefix: string, headers: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [`${prefix} ${name}`, value]));
}

/** What a condition sees of an answer. */
function resultOf({ status, headers, body }: HttpAnswer, latencyMs: number) {
  return { status, latencyMs, headers: { ...headers }, body: parsed(body) };
}

/** JSON where it is JSON, otherwise the text. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

function versionOf(answer: HttpAnswer, header: string, redact: Redact): string | undefined {
  const value = answer.headers[header.toLowerCase()];
  if (value === undefined || value === "") return undefined;
  return redact(Array.isArray(value) ? value.join(", ") : value).slice(0, 200);
}

function withBody(differences: string, answer: HttpAnswer, redact: Redact): string {
  const excerpt = excerptOf(answer.body, redact);
  return answer.body === "" || differences.includes(excerpt) ? differences : `${differences}; body ${excerpt}`;
}

const apiFailure = z.looseObject({
  kind: z.literal("Status"),
  apiVersion: z.literal("v1"),
  status: z.literal("Failure"),
  message: z.string().optional(),
});

/** What the API server says for itself instead of passing on an answer; `undefined` when the target answered. */
function refusalOfApi(
  answer: HttpAnswer,
  redact: Redact,
): { readonly verdict: "fail" | "error"; readonly message: string } | undefined {
  if (answer.status >= 500 && answer.body.startsWith("error trying to reach service")) {
    return { verdict: "fail", message: `expected an answer, measured none: ${excerptOf(answer.body, redact)}` };
  }
  const said = parseApiFailure(answer.body);
  if (said === undefined) return undefined;
  const message = excerptOf(said.message ?? "", redact);
  // Not allowed, or too busy to ask: that is between the API server and us.
  if ([401, 403, 429].includes(answer.status)) {
    return {
      verdict: "error",
      message: `not measured: the Kubernetes API refused with ${answer.status}: ${message}; check the rights of the account on services/proxy and pods/proxy`,
    };
  }
  return {
    verdict: "fail",
    message: `expected an answer, measured none: the Kubernetes API says ${answer.status}: ${message}`,
  };
}

function parseApiFailure(body: string): z.infer<typeof apiFailure> | undefined {
  return apiFailure.safeParse(parsed(body)).data;
}
