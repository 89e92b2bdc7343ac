/** Copies what flows past, up to a limit. */
export interface BodyCopy {
  add(chunk: Uint8Array): void;
  /** A copy in memory of its own, so that it can be handed to another thread; undefined when there was more than the limit. */
  whole(): Uint8Array<ArrayBuffer> | undefined;
}

/** @param onTooLarge called once, when more than the limit has come */
export function copyBody(maximumBytes: number, onTooLarge: () => void): BodyCopy {
  let chunks: Uint8Array[] | undefined = [];
  let length = 0;
  return {
    add: (chunk) => {
      length += chunk.length;
      if (chunks !== undefined && length > maximumBytes) {
        chunks = undefined;
        onTooLarge();
      }
      chunks?.push(chunk);
    },
    whole: () => {
      if (chunks === undefined) return undefined;
      const body = new Uint8Array(length);
      let offset = 0;
      for (const chunk of chunks) {
        body.set(chunk, offset);
        offset += chunk.length;
      }
      return body;
    },
  };
}
