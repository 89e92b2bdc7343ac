/** Events in the order in which they came, for one reader. */
export interface EventQueue<Event> {
  push(event: Event): void;
  /** All that came since the last time; waits for one when there is none. */
  take(): Promise<readonly Event[]>;
}

export function createEventQueue<Event>(): EventQueue<Event> {
  let events: Event[] = [];
  let wake: (() => void) | undefined;
  return {
    push: (event) => {
      events.push(event);
      wake?.();
    },
    take: async () => {
      while (events.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      const taken = events;
      events = [];
      return taken;
    },
  };
}
