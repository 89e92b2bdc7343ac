/** The memory of bodies that may be handed to another thread whole: all that is not shared. */
export function handedOver(...bodies: readonly Uint8Array[]): ArrayBuffer[] {
  return bodies.flatMap(({ buffer }) => (buffer instanceof ArrayBuffer ? [buffer] : []));
}
