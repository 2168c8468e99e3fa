/** The names a rendering knows: those of its scope, and what loops and `with` give one meanwhile. */

export class Variables {
  readonly #scopes: Readonly<Record<string, unknown>>[];

  constructor(scope: Readonly<Record<string, unknown>>) {
    this.#scopes = [scope];
  }

  push(names: Readonly<Record<string, unknown>>): void {
    this.#scopes.push(names);
  }

  pop(): void {
    this.#scopes.pop();
  }

  /** The innermost of that name; undefined where there is none. */
  find(name: string): unknown {
    for (let depth = this.#scopes.length - 1; depth >= 0; depth--) {
      const scope = this.#scopes[depth];
      if (scope && Object.hasOwn(scope, name)) return scope[name];
    }
    return undefined;
  }
}
