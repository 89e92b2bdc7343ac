/** The look of the house's pictures: legible on a light and on a dark page, because each brings its own background. */
const style = `
    .text { fill: #16233a; font-size: 14px; }
    .strong { fill: #16233a; font-size: 15px; font-weight: 600; }
    .small { fill: #44536c; font-size: 12px; }
    .light { fill: #ffffff; font-size: 12px; }
    .warn { fill: #9a4310; font-size: 12px; }
    .box { fill: #ffffff; stroke: #3b5b8c; stroke-width: 1.5; }
    .update { fill: #e3ebf8; stroke: #3b5b8c; stroke-width: 1.5; }
    .stable { fill: #c7d4e8; }
    .candidate { fill: #3b5b8c; }
    .measured { fill: #2f7d5b; }
    .failed { fill: #b4531a; }
    .back { fill: #fff4ec; stroke: #b4531a; stroke-width: 1.5; stroke-dasharray: 6 4; }
    .rest { fill: url(#rest); }
    .copies { fill: url(#copies); }
    .line { stroke: #9fb0c8; stroke-width: 1; fill: none; }
    .faint { stroke: #dbe3ee; stroke-width: 1; fill: none; }
    .arrow { stroke: #b4531a; stroke-width: 2; fill: none; marker-end: url(#tail); }
`;

const definitions = `
    <pattern id="rest" width="8" height="8" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="8" height="8" fill="#f8fafc"/><rect width="3" height="8" fill="#e3ebf8"/></pattern>
    <pattern id="copies" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="2.5" height="7" fill="#3b5b8c"/></pattern>
    <marker id="tail" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 10 5 0 10z" fill="#b4531a"/></marker>
`;

export type TextClass = "text" | "strong" | "small" | "light" | "warn";

/** A whole picture. `description` is what a screen reader says. */
export function picture(width: number, height: number, description: string, parts: readonly string[]): string {
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="system-ui, sans-serif" role="img" aria-label="${escape(description)}">`,
    `  <style>${style}  </style>`,
    `  <defs>${definitions}  </defs>`,
    `  <rect width="${width}" height="${height}" fill="#f8fafc" rx="12"/>`,
    ...parts.map((part) => `  ${part}`),
    "</svg>",
    "",
  ].join("\n");
}

export function text(
  x: number,
  y: number,
  words: string,
  kind: TextClass = "text",
  anchor: "start" | "middle" | "end" = "start",
): string {
  const place = anchor === "start" ? "" : ` text-anchor="${anchor}"`;
  return `<text class="${kind}" x="${round(x)}" y="${round(y)}"${place}>${escape(words)}</text>`;
}

export function rect(x: number, y: number, width: number, height: number, kind: string, radius = 0): string {
  const corner = radius === 0 ? "" : ` rx="${radius}"`;
  return `<rect class="${kind}" x="${round(x)}" y="${round(y)}" width="${round(width)}" height="${round(height)}"${corner}/>`;
}

export function line(x1: number, y1: number, x2: number, y2: number, kind: string): string {
  return `<path class="${kind}" d="M${round(x1)} ${round(y1)}L${round(x2)} ${round(y2)}"/>`;
}

/** Whether words have room, as far as that can be told without the reader's font. */
export function fits(words: string, width: number, fontSize = 12): boolean {
  return words.length * fontSize * 0.6 <= width;
}

/** A duration as people say it: `2 s`, `1 min 30 s`, `1 h`. */
export function duration(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 100) / 10;
  if (seconds < 60) return `${seconds} s`;
  const whole = Math.round(seconds);
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return [hours > 0 ? `${hours} h` : "", minutes > 0 ? `${minutes} min` : "", rest > 0 ? `${rest} s` : ""]
    .filter((part) => part !== "")
    .join(" ");
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escape(words: string): string {
  return words.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;").replaceAll('"', "&quot;");
}
