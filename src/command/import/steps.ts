/** What is taken over step by step, each by pages whose place is kept. */

export type Taken = {
  taken: number;
  /** Where the next page begins; null: that was the last. */
  next: string | null;
};

export type Step = { what: string; take(place: string | null): Promise<Taken> };

/** What stays there, and why; `path`: where it is looked for. */
export type LeftOut = { what: string; path: string; why: string };

/** What is made here of what was there, and what a person has to do with it. */
export type Told = (line: string) => void;
