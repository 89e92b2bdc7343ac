/** A list that grows at its head without being copied, so that each event of a long run costs the same. */
export type PersistentList<Item> = { readonly head: Item; readonly tail: PersistentList<Item> } | undefined;

/** The list with one more item. */
export function prepend<Item>(item: Item, list: PersistentList<Item>): PersistentList<Item> {
  return { head: item, tail: list };
}

/** All items, the newest first. */
export function newestFirst<Item>(list: PersistentList<Item>): Item[] {
  const items: Item[] = [];
  for (let rest = list; rest; rest = rest.tail) items.push(rest.head);
  return items;
}

/** All items, the oldest first. */
export function oldestFirst<Item>(list: PersistentList<Item>): Item[] {
  return newestFirst(list).reverse();
}
