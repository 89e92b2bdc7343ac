import type { RequestMatch } from "@bascule/core";
import type { Annotations } from "./markers.ts";
import { escapeRegex } from "./request-rules.ts";

/** The part of the requests that ingress-nginx takes from the main Ingress, as its canary annotations have it. */
export interface CanaryShare {
  /** 0 to 100. */
  readonly weightPercent: number;
  /** Those that go there whatever the weight is. */
  readonly matches: readonly RequestMatch[];
}

export const noShare: CanaryShare = { weightPercent: 0, matches: [] };

const annotationPrefix = "nginx.ingress.kubernetes.io/";
const canary = `${annotationPrefix}canary`;
const weight = `${canary}-weight`;
const weightTotal = `${canary}-weight-total`;
const byHeader = `${canary}-by-header`;
const byHeaderValue = `${canary}-by-header-value`;
const byHeaderPattern = `${canary}-by-header-pattern`;
const byCookie = `${canary}-by-cookie`;
/** Without it the canary inherits the main Ingress's sticky sessions, and users who met it would stay there at weight 0. */
const affinityBehavior = `${annotationPrefix}affinity-canary-behavior`;

/** Parts of a per cent that a weight is kept to. */
const precision = 1_000;
const defaultTotal = 100;

/** The characters that ingress-nginx takes in names and values, and in patterns; it ignores an annotation with any other. */
const plain = /^[-./\w~: ]*$/;
const pattern = /^[-./\w~:^$[\](){}*+?|&=\\]*$/;

/** The values of a cookie that ingress-nginx knows: `always` to the canary, `never`; any other means nothing to it. */
const always = "always";

/** Whether an annotation is one of those that make an Ingress a canary. */
export function isCanaryAnnotation(name: string): boolean {
  return name === canary || name.startsWith(`${canary}-`) || name === affinityBehavior;
}

/** The annotations for a share. Its matches have to be such as {@link matchesProblem} has nothing against. */
export function canaryAnnotations({ weightPercent, matches }: CanaryShare): Annotations {
  const factor = Number.isInteger(weightPercent) ? 1 : precision;
  return {
    [canary]: "true",
    [affinityBehavior]: "legacy",
    [weight]: String(Math.round(weightPercent * factor)),
    [weightTotal]: String(defaultTotal * factor),
    ...headerRule(matches.filter(isOfHeader)),
    ...Object.fromEntries(matches.filter(isOfCookie).map(({ cookie }) => [byCookie, cookie])),
  };
}

/** The share in per cent, read as ingress-nginx reads it: what it does not understand is 0, a total below 100 is 100. */
export function weightPercentIn(annotations: Annotations): number {
  if (!/^(1|t|T|TRUE|true|True)$/.test(annotations[canary] ?? "")) return 0;
  const total = Math.max(defaultTotal, integer(annotations[weightTotal]) ?? defaultTotal);
  const part = Math.min(total, Math.max(0, integer(annotations[weight]) ?? 0));
  return Math.round((part / total) * 100 * precision) / precision;
}

/** Whether the annotations send anything to the canary. */
export function hasShare(annotations: Annotations): boolean {
  return weightPercentIn(annotations) > 0 || byHeader in annotations || byCookie in annotations;
}

/** Why ingress-nginx cannot pick these requests; `undefined`: it can. */
export function matchesProblem(matches: readonly RequestMatch[]): string | undefined {
  const [first, ...others] = matches.filter(isOfHeader);
  const other = others.find(({ header }) => header.toLowerCase() !== first?.header.toLowerCase());
  if (first && other) {
    return `ingress-nginx picks requests by one header, not by ${first.header} and ${other.header}. Put both meanings into one header, or use a router that takes several`;
  }
  const cookies = matches.filter(isOfCookie);
  const unknown = cookies.find(({ exact }) => exact !== always);
  if (unknown) {
    return `ingress-nginx picks requests by a cookie whose value is exactly "${always}", not by another value of ${unknown.cookie}. Set that value, or pick by a header`;
  }
  const names = new Set(cookies.map(({ cookie }) => cookie));
  if (names.size > 1) {
    return `ingress-nginx picks requests by one cookie, not by ${[...names].join(" and ")}. Leave one`;
  }
  const written = headerRule(matches.filter(isOfHeader));
  const refused =
    [...names, written[byHeader] ?? "", written[byHeaderValue] ?? ""].find((text) => !plain.test(text)) ??
    [written[byHeaderPattern] ?? ""].find((text) => !pattern.test(text));
  return refused === undefined
    ? undefined
    : `ingress-nginx ignores ${JSON.stringify(refused)} for the characters in it. Leave to letters, digits and -_.~:/, in patterns also ^$[](){}*+?|&=\\`;
}

type OfHeader = RequestMatch & { readonly header: string };
type OfCookie = RequestMatch & { readonly cookie: string };

function isOfHeader(match: RequestMatch): match is OfHeader {
  return match.header !== undefined;
}

function isOfCookie(match: RequestMatch): match is OfCookie {
  return match.cookie !== undefined;
}

/** Several values of one header are alternatives of one pattern. */
function headerRule(matches: readonly OfHeader[]): Annotations {
  const [first, second] = matches;
  if (!first) return {};
  if (!second && first.exact !== undefined && plain.test(first.exact)) {
    return { [byHeader]: first.header, [byHeaderValue]: first.exact };
  }
  return { [byHeader]: first.header, [byHeaderPattern]: `^(?:${matches.map(valuePattern).join("|")})$` };
}

function valuePattern({ exact, prefix, regex }: RequestMatch): string {
  if (exact !== undefined) return escapeRegex(exact);
  return regex ?? `${escapeRegex(prefix ?? "")}.*`;
}

function integer(text: string | undefined): number | undefined {
  return text !== undefined && /^[-+]?\d+$/.test(text) ? Number(text) : undefined;
}
