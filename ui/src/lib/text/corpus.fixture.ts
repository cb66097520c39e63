// Answers as models write them, made in families, and hostile ones. Each is Markdown whose visible characters must all be seen.
export interface Case {
  name: string;
  source: string;
  /** Letters and digits of the source that are syntax: labels, titles. */
  hidden?: string;
  /** Texts that have to be seen exactly as they stand here. */
  exact?: string[];
  /** A definition after its use: what was complete changes once, to a link. */
  late?: boolean;
}

const WORDS = "river stone lamp garden window paper silver morning engine letter".split(" ");
const word = (place: number) => WORDS[place % WORDS.length] ?? "";
const times = (count: number, make: (place: number) => Case): Case[] => Array.from({ length: count }, (_, place) => make(place));

const tables = times(25, (place) => {
  const columns = 1 + (place % 4);
  const cells = (row: number) => Array.from({ length: columns }, (_, column) => ["*", "", "`", "**"].map((mark) => mark).at(column % 4) ?? "").map((mark, column) => `${mark}${word(place + row + column)}${row}${column}${mark}`);
  const line = (parts: string[]) => `| ${parts.join(" | ")} |`;
  const delimiter = Array.from({ length: columns }, (_, column) => [":--", ":-:", "--:", "---"][(column + place) % 4] ?? "---");
  const rows = Array.from({ length: 1 + (place % 5) }, (_, row) => line(cells(row + 1)));
  return { name: `table ${place}`, source: `Before ${place}:\n\n${line(cells(0))}\n${line(delimiter)}\n${rows.join("\n")}\n\nAfter ${place}.` };
});

const lists = times(30, (place) => {
  const start = place * 3;
  const nested = Array.from({ length: 3 }, (_, depth) => `${"   ".repeat(depth)}${place % 2 ? "-" : `${start + depth}.`} ${word(place + depth)} at depth ${depth}`);
  const tasks = place % 3 === 0 ? `\n\n- [x] done ${word(place)}\n- [ ] open ${word(place + 1)}` : "";
  return { name: `list ${place}`, source: `${nested.join("\n")}\n\nBetween.\n\n${start + 1}. first again\n${start + 2}. second again${tasks}` };
});

const LANGUAGES = ["rust", "python", "c", "", "unknownlanguage", "html", "json", "bash", "sql", "diff"];
const codeInLists = times(30, (place) => {
  const language = LANGUAGES[place % LANGUAGES.length] ?? "";
  const code = [`let v${place}: Vec<String> = a->b;`, `if (a < b && c > d) { "x" != 'y' } // ${word(place)}`, "\\(not_math\\) $not$ **not bold** <b>"];
  const inside = (indent: string) => [`\`\`\`${language}`, ...code, "```"].map((one) => indent + one).join("\n");
  return {
    name: `code ${place}`,
    source: place % 2 ? `1. Step ${place}\n\n${inside("   ")}\n\n2. Next step` : `- Item ${place}:\n  - deeper\n\n${inside("    ")}\n\nEnd.\n\n${inside("")}`,
    exact: code,
  };
});

const FORMULAS = ["a_1 + b_2", "\\frac{1}{2}", "2\\,T", "a*b*c", "\\sum_{i=0}^n i^2", "x < y", "\\begin{pmatrix} a & b \\\\ c & d \\end{pmatrix}", "\\unknowncommand{x}", "\\text{words inside}", "f'(x)"];
const maths = times(30, (place) => {
  const tex = FORMULAS[place % FORMULAS.length] ?? "";
  const written = [`$${tex}$`, `\\(${tex}\\)`, `$$${tex}$$`, `\\[${tex}\\]`, `\n\n$$\n${tex}\n$$\n\n`, `\n\n\\[\n${tex}\n\\]\n\n`][place % 6] ?? "";
  return { name: `formula ${place}`, source: `Formula ${place} is ${written} and costs $${place} or $${place + 1} **in all**.`, exact: [tex] };
});

const LIKE_HTML = [
  "Vec<String> and std::vector<int>",
  "if a<b and c>d then swap",
  "Use the <details> tag or <input>.",
  "<div class='a'>text in a box</div>",
  "<my-element attr=\"1\"> custom",
  "a << 2 >> b <= c >= d",
  "Map<String, List<Integer>> m",
  "<!-- a comment --> after",
  "<?php echo 1; ?>",
  "<![CDATA[ data ]]>",
  "</closing> alone",
  "<br> alone and <hr/>",
  "template<typename T> class X {};",
  "<T extends Comparable<T>>",
  "1 < 2 & 3 > 2 &nosuch; &",
];
const htmlLike = LIKE_HTML.flatMap((text, place): Case[] => [
  { name: `like HTML ${place}`, source: text, exact: [text] },
  { name: `like HTML ${place} in a list`, source: `- ${text}\n- **bold** ${place}`, exact: [text] },
]);

const RTL = ["مرحبا بالعالم! كيف حالك؟", "שלום עולם, מה שלומך?", "سلام دنیا، این یک آزمایش است.", "قائمة: العنصر الأول (1) ثم الثاني (2)."];
const rightToLeft = times(20, (place) => {
  const text = RTL[place % RTL.length] ?? "";
  const forms = [text, `1. ${text}\n2. ${text} abc ${place}`, `> ${text}`, `| ${text} | b |\n|---|---|\n| 1 | ${text} |`, `# ${text}\n\n${text} \`code${place}\` ${text}`];
  return { name: `right to left ${place}`, source: forms[place % forms.length] ?? text, exact: [text] };
});

const HOSTILE = [
  "<script>window.ran = 1</script>",
  "<img src=x onerror=\"window.ran = 1\">",
  "<svg onload=\"window.ran = 1\"><script>window.ran = 1</script></svg>",
  "<iframe src='https://evil.example/frame'></iframe>",
  "<math><mtext></form><form><mglyph><style></math><img src onerror=window.ran=1>",
  "<a href='https://evil.example' onclick='window.ran=1'>x</a>",
  "<style>body { display: none }</style>",
  "<link rel=stylesheet href=https://evil.example/a.css>",
  "<form action='https://evil.example'><input name=a><button>b</button></form>",
  "<p style='position:fixed;inset:0' class='window' id='app'>x</p>",
  "$\\href{javascript:window.ran=1}{x}$",
  "$\\includegraphics{https://evil.example/a.png}$",
  "$\\htmlStyle{position:fixed}{x}$",
  "$\\def\\a{\\a\\a}\\a$",
  "$\\rule{99999em}{99999em}$",
  "```html\n<script>window.ran = 1</script>\n```",
  "```\"><img src=x onerror=window.ran=1>\ncode\n```",
  "`<img src=x onerror=window.ran=1>`",
  "| <script>window.ran=1</script> | b |\n|---|---|\n| <img src=x onerror=window.ran=1> | c |",
  "&lt;script&gt;window.ran=1&lt;/script&gt;",
];
const hostile: Case[] = [
  ...HOSTILE.map((source, place): Case => ({ name: `hostile ${place}`, source, ...(source.startsWith("&lt;") ? { hidden: "ltgtltgt" } : {}) })),
  ...["javascript:window.ran=1", "JaVaScRiPt:window.ran=1", "data:text/html,<script>window.ran=1</script>", "vbscript:x", "file:///etc/passwd", "attachment://localhost/a/full", "//evil.example/a", "\tjavascript:alert(1)"].map(
    (address, place): Case => ({ name: `hostile address ${place}`, source: `[press here](${address.trim()}) and ![a picture](${address.trim()}) ${place}` }),
  ),
  { name: "picture that would be fetched", source: "![a chart of sales](https://evil.example/track.png?id=1)" },
  { name: "title that lies", source: '[the bank](https://evil.example/ "https://good-bank.example")', hidden: "httpsgoodbankexample" },
  { name: "user that looks like a host", source: "[x](https://google.com@evil.example/)" },
];

const OTHERS = [
  "# One\n## Two\n### Three\n#### Four\n\nText below.",
  "A heading\n=========\n\nAnother\n-------\n\ntext",
  "Roses are red\nviolets are blue\nsugar is sweet",
  "> quoted\n> again\n>\n> > deeper\n\nout",
  "Text with **bold**, *italic*, ***both***, ~~gone~~ and `code`.",
  "A line\n\n---\n\nanother line\n\n***\n\nend",
  "Water is H<sub>2</sub>O, E=mc<sup>2</sup>, press <kbd>Enter</kbd>.",
  "snake_case_name and __init__.py and 2*3*4 and a ~ b",
  "Escaped \\*stars\\* and \\[brackets\\] here",
  "https://example.com/a_b_c?x=1&y=2 and www.example.org/path",
  "- a\n- b\n\n  para in b\n- c\n\n\n- d",
  "    indented code <b>\n    second line\n\nafter",
  "1) one\n2) two\n10) ten",
  "Term\n: not a definition list\n\n[ ] not a task",
  "日本語のテキスト。**太字**です。\n\n中文：列表\n- 一\n- 二",
  "Emoji 👩‍👩‍👧‍👦 🇩🇪 and ünïcödé",
  "~~~python\nprint('tilde')\n~~~\n\nend",
  "```\nnever closed\nsecond line",
  "| not | a table\nbecause no delimiter",
  "Line one  \nline two\\\nline three",
  "**Note:** this\n**Warning:** that",
  "* star\n+ plus\n- minus",
  "[unfinished link](https://example.com",
  "**unfinished bold\n\nnext",
  "An open \\(formula that never ends\n\nand the next paragraph\n\nand one more",
  "A shell's $$ is a number\n\nand the next paragraph, then `echo $$` and more",
];
const others: Case[] = [
  ...OTHERS.map((source, place): Case => ({ name: `other ${place}`, source, ...(source.includes("<sub>") ? { hidden: "subsubsupsupkbdkbd" } : {}) })),
  { name: "footnotes", source: "Water[^1] is wet[^note].\n\n[^1]: The first note.\n[^note]: The second,\nof two lines." },
  { name: "reference", source: "See [the docs][a] and [others].\n\n[a]: https://example.com/docs\n[others]: https://example.com/others", hidden: "aaothers", late: true },
  { name: "late reference", source: "Read [this][9].\n\nOne.\n\nTwo.\n\nThree.\n\nFour.\n\n[9]: https://example.com/late", hidden: "99", late: true },
  { name: "definition that nothing uses", source: "Text.\n\n[note]: https://example.com/unused\n\nMore." },
  { name: "entities", source: "Tom &amp; Jerry &copy; 2024 &#65; &#x42;", hidden: "ampcopy65x42", exact: ["Tom & Jerry © 2024 A B"] },
];

export const CORPUS: Case[] = [...tables, ...lists, ...codeInLists, ...maths, ...htmlLike, ...rightToLeft, ...hostile, ...others];
