import { Worker } from "node:worker_threads";
import type { Log } from "../server/log.ts";

const restartDelayMs = 1_000;

/** What a thread tells when it can work. */
export interface Ready {
  readonly kind: "ready";
}

/** How a thread is run. */
export interface KeptThreadOptions<From> {
  /** The file of the mirror: each of its threads runs the same one. */
  readonly program: URL;
  /** What it reads as its `workerData`. */
  readonly data: object;
  /** For its objects, in MB. Beyond that it is ended, and nothing else is. */
  readonly memoryMb: number;
  readonly log: Log;
  readonly onMessage: (message: From) => void;
  /** It has ended, and knows nothing of what it was told. */
  readonly onDown: () => void;
}

/** A thread that is started again when it fails. */
export interface KeptThread<To> {
  /** Comes back when it can work for the first time. */
  readonly started: Promise<undefined>;
  isRunning(): boolean;
  /** The buffers are handed over, not copied. */
  post(message: To, handedOver?: readonly ArrayBuffer[]): void;
  stop(): Promise<void>;
}

export function keepThread<To, From>(options: KeptThreadOptions<From>): KeptThread<To> {
  const started = Promise.withResolvers<undefined>();
  let isStopping = false;
  let isRunning = false;
  let worker = start();

  function start(): Worker {
    const thread = new Worker(options.program, {
      workerData: options.data,
      // It needs nothing of the environment, which may hold secrets of whoever configured the Pod.
      env: {},
      resourceLimits: { maxOldGenerationSizeMb: options.memoryMb },
    });
    thread.on("message", (message: From | Ready) => {
      if (!isReady(message)) {
        options.onMessage(message);
        return;
      }
      isRunning = true;
      started.resolve(undefined);
    });
    thread.on("error", (error: unknown) => {
      options.log("a thread failed and is started again", { code: codeOf(error) });
    });
    thread.on("exit", () => {
      isRunning = false;
      options.onDown();
      if (isStopping) return;
      setTimeout(() => {
        if (!isStopping) worker = start();
      }, restartDelayMs).unref();
    });
    return thread;
  }

  return {
    started: started.promise,
    isRunning: () => isRunning,
    post: (message, handedOver = []) => {
      worker.postMessage(message, [...handedOver]);
    },
    stop: async () => {
      isStopping = true;
      await worker.terminate();
    },
  };
}

function isReady(message: unknown): message is Ready {
  return typeof message === "object" && message !== null && "kind" in message && message.kind === "ready";
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "unknown";
}
