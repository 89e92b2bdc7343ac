/** Where to connect to. */
export interface Place {
  readonly host: string;
  readonly port: number;
}

/** The host and the port of an HTTP address. */
export function placeOf(address: string): Place {
  const { hostname, port } = new URL(address);
  return { host: hostname.replace(/^\[|\]$/g, ""), port: port === "" ? 80 : Number(port) };
}
