/** Properties of an answer that a test changes while it is on the screen. */
export function growing(source: string): { source: string; growing: boolean } {
  const props = $state({ source, growing: true });
  return props;
}
