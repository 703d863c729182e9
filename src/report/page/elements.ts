type Child = Node | string | null;

/** An element with attributes and children. Text is always text: nothing here parses HTML. */
export function element<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Readonly<Record<string, string>> = {},
  ...children: readonly Child[]
): HTMLElementTagNameMap[Tag] {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, value);
  created.append(...children.filter((child) => child !== null));
  return created;
}

/** Text that somebody else chose, kept from changing the direction of what is around it. */
export function foreign(text: string, className = ''): HTMLElement {
  const created = document.createElement('bdi');
  if (className !== '') created.className = className;
  created.textContent = text;
  return created;
}

export function section(id: string, title: string, ...children: readonly Child[]): HTMLElement {
  return element('section', { id, 'aria-label': title }, element('h2', {}, title), ...children);
}

export function number(value: number): string {
  return value.toLocaleString('en');
}
