/** How long a measurement may take when its probe does not say, in milliseconds. */
export const probeTimeoutMs = 2_000;
