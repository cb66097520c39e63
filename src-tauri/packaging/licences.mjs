// Prints the licence of everything that is compiled into the two programs: crates of both workspaces, with the C and assembly
// sources that some of them carry, and the packages of the pages. One text that several share is printed once, under all names.
//
// Outside: judging them (deny.toml does). Written here because the tools that do this for cargo take longer to compile than all
// packaging takes, and none of them knows npm. Needs what a build leaves behind: cargo's registry and ui/node_modules.
import { execFileSync } from "node:child_process";
import { readFileSync, readdirSync, statSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const LICENCE_FILE = /^(licen[cs]e|copying|copyright|notice|unlicense|authors|patents|ofl)([-._].*)?$/i;
// The runtime of the compiler that the pages are written in is part of them, though npm only builds with it.
const COMPILED_IN = ["svelte"];

/** Crates that end in the program `name` of the workspace in `folder`: neither build scripts' nor tests' dependencies. */
function crates(folder, name) {
  const host = execFileSync("rustc", ["-vV"], { encoding: "utf8" }).match(/^host: (.*)$/m)[1];
  const metadata = JSON.parse(
    execFileSync("cargo", ["metadata", "--format-version", "1", "--locked", "--filter-platform", host], {
      cwd: folder,
      encoding: "utf8",
      maxBuffer: 1 << 28,
    }),
  );
  const packages = new Map(metadata.packages.map((found) => [found.id, found]));
  const nodes = new Map(metadata.resolve.nodes.map((node) => [node.id, node]));
  const isMacro = (id) => packages.get(id).targets.some((target) => target.kind.includes("proc-macro"));
  const start = metadata.packages.find((found) => found.name === name && found.source === null);
  const seen = new Set([start.id]);
  const open = [start.id];
  while (open.length > 0) {
    for (const { pkg, dep_kinds: kinds } of nodes.get(open.pop()).deps) {
      if (seen.has(pkg) || isMacro(pkg) || !kinds.some(({ kind }) => kind === null)) continue;
      seen.add(pkg);
      open.push(pkg);
    }
  }
  return [...seen]
    .map((id) => packages.get(id))
    .filter((found) => !found.name.startsWith("paddock"))
    .map((found) => ({
      name: `${found.name} ${found.version}`,
      licence: found.license ?? `see ${found.license_file}`,
      address: found.repository ?? found.homepage ?? "",
      folder: dirname(found.manifest_path),
    }));
}

/** Packages of the pages, as npm's lock file says. */
function modules() {
  const ui = join(root, "ui");
  const { packages } = JSON.parse(readFileSync(join(ui, "package-lock.json"), "utf8"));
  const wanted = new Set(Object.keys(packages).filter((path) => path !== "" && !packages[path].dev));
  for (const name of COMPILED_IN) wanted.add(`node_modules/${name}`);
  return [...wanted]
    .filter((path) => !packages[path].optional)
    .map((path) => {
      const found = JSON.parse(readFileSync(join(ui, path, "package.json"), "utf8"));
      const address = typeof found.repository === "string" ? found.repository : (found.repository?.url ?? found.homepage ?? "");
      return { name: `${found.name} ${found.version}`, licence: found.license ?? "see below", address, folder: join(ui, path) };
    });
}

/** Paths of licence files, three folders deep: vendored C libraries keep theirs beside their sources. */
function licenceFiles(folder, depth = 3) {
  const files = [];
  for (const name of readdirSync(folder).sort()) {
    if (["node_modules", "target", "tests", "benches", ".git"].includes(name)) continue;
    const path = join(folder, name);
    if (statSync(path).isDirectory()) {
      if (LICENCE_FILE.test(name) || depth > 0) files.push(...licenceFiles(path, depth - 1));
    } else if (LICENCE_FILE.test(name) && !/\.(rs|h|c|ts|js|html)$/.test(name)) files.push(path);
  }
  return files;
}

const found = new Map();
for (const part of [
  ...crates(root, "paddock"),
  ...crates(join(root, "src-tauri/engine"), "paddock-engine"),
  ...modules(),
]) {
  found.set(part.name, part);
}
const parts = [...found.values()].sort((a, b) => (a.name < b.name ? -1 : 1));

const texts = new Map();
const silent = [];
for (const part of parts) {
  const files = licenceFiles(part.folder);
  if (files.length === 0) silent.push(part);
  for (const file of files) {
    const text = readFileSync(file, "utf8").replaceAll("\r\n", "\n").trim();
    const key = text.replaceAll(/\s+/g, " ");
    if (!texts.has(key)) texts.set(key, { text, names: [] });
    texts.get(key).names.push(`${part.name} (${relative(part.folder, file)})`);
  }
}

const rule = "=".repeat(100);
const lines = ["What Paddock is built from, and under which licences.", ""];
for (const part of parts) lines.push(`${part.name}: ${part.licence}${part.address && `  <${part.address}>`}`);
if (silent.length > 0) {
  lines.push("", "Published without the text of their licence, which is the standard one of its name:", "");
  for (const part of silent) lines.push(`  ${part.name}: ${part.licence}`);
}
for (const { text, names } of texts.values()) lines.push("", rule, ...names, rule, "", text);
console.log(lines.join("\n"));
