// Formulas by KaTeX, loaded with the first one that is shown. Fonts and style sheet lie in the program.
const OPTIONS = {
  // No links, no pictures, no styles or classes of the model's choice.
  trust: false,
  throwOnError: true,
  strict: false as const,
  /** In em: a rule of a kilometre must not push everything else away. */
  maxSize: 40,
  maxExpand: 500,
};
/** More than a person reads; KaTeX takes seconds for it. */
const MOST_CHARACTERS = 20_000;

let loading: Promise<typeof import("katex")> | undefined;

function load(): Promise<typeof import("katex")> {
  loading ??= Promise.all([import("katex"), import("katex/dist/katex.css")]).then(([katex]) => katex);
  return loading;
}

/** Draws into `element` if it is still `wanted`; false if KaTeX does not understand it. */
export async function drawFormula(tex: string, display: boolean, element: HTMLElement, wanted: () => boolean): Promise<boolean> {
  if (tex.length > MOST_CHARACTERS) return false;
  const { default: katex } = await load();
  if (!wanted()) return false;
  try {
    katex.render(tex, element, { ...OPTIONS, displayMode: display, output: "htmlAndMathml" });
    return true;
  } catch {
    element.replaceChildren();
    return false;
  }
}
