// Times Paddock and sharp in turns, prints the medians, and writes them into the README.
//
//     node compare.mjs PROGRAM FOLDER MODEL ROUNDS README
//
// Both read the file from memory, turn it upright, and make a thumbnail (320 pixels, JPEG of quality 80) and the pixels that
// a model gets, scaled with a triangle filter. Each side does the two at the same time, and every time is taken inside the
// process that works. sharp is measured with its own number of threads and with one for each core; the faster counts.
//
// Outside: making the pictures (make.py).

import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { cpus } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const [program, folder, model, roundsText, readme] = process.argv.slice(2);
const rounds = Number(roundsText);
const sharp = createRequire(join(resolve(folder), 'package.json'))('sharp');
sharp.cache(false);
const ownThreads = sharp.concurrency();

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** Our side: a process that does one job for every line. */
function paddock(file) {
    const child = spawn(program, [join(folder, file), model], { stdio: ['pipe', 'pipe', 'inherit'] });
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    return {
        async job(words) {
            child.stdin.write(`${words}\n`);
            const { value, done } = await lines.next();
            if (done) throw new Error(`${program} ended at ${file}`);
            return JSON.parse(value);
        },
        end() {
            child.stdin.end();
        },
    };
}

const small = (bytes) =>
    sharp(bytes).autoOrient().resize(320, 320, { fit: 'inside', kernel: 'linear' }).jpeg({ quality: 80 }).toBuffer();
const pixels = (bytes, [width, height]) =>
    sharp(bytes).autoOrient().resize(width, height, { fit: 'fill', kernel: 'linear' }).removeAlpha().raw().toBuffer();

async function timed(threads, work) {
    sharp.concurrency(threads);
    const started = performance.now();
    await work();
    return performance.now() - started;
}

/** Medians in milliseconds of `job` here and `work` there, taken in turns. */
async function compare(ours, job, work, rounds) {
    const mine = [];
    const theirs = [[], []];
    await ours.job(job);
    await work();
    for (let round = 0; round < rounds; round++) {
        const steps = [
            async () => mine.push((await ours.job(job)).ms),
            async () => theirs[0].push(await timed(ownThreads, work)),
            async () => theirs[1].push(await timed(cpus().length, work)),
        ];
        for (let step = 0; step < steps.length; step++) await steps[(round + step) % steps.length]();
    }
    return { ours: median(mine), sharp: Math.min(...theirs.map(median)) };
}

/** How far our pixels are from sharp's, on average: the work is the same if that is little. */
async function difference(ours, bytes) {
    const path = join(folder, 'seen.raw');
    const { seen } = await ours.job(`write ${path}`);
    const [mine, theirs] = [readFileSync(path), await pixels(bytes, seen)];
    if (mine.length !== theirs.length) throw new Error(`${mine.length} bytes here, ${theirs.length} there`);
    let sum = 0;
    for (let i = 0; i < mine.length; i++) sum += Math.abs(mine[i] - theirs[i]);
    return sum / mine.length;
}

const table = ['| picture | work | Paddock | sharp | ratio |', '| --- | --- | --: | --: | --: |'];
const notes = [];
function row(picture, work, { ours, sharp: theirs }) {
    const ms = (value) => (value === undefined ? '—' : `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`);
    const ratio = theirs === undefined ? '—' : `**${(ours / theirs).toFixed(2)}**`;
    table.push(`| ${picture} | ${work} | ${ms(ours)} | ${ms(theirs)} | ${ratio} |`);
    console.log(`${picture}, ${work}: ${ms(ours)}; sharp ${ms(theirs)}; ratio ${ratio.replaceAll('*', '')}`);
}

const megabytes = (file) => `${(statSync(join(folder, file)).size / 1e6).toFixed(1)} MB`;
for (const [file, name, times] of [
    ['photo.jpg', '12 MP JPEG', rounds],
    ['sideways.jpg', '12 MP JPEG, held sideways (Exif 6)', rounds],
    ['photo.avif', '12 MP AVIF', Math.min(rounds, 5)],
    ['photo.heic', '12 MP HEIC', Math.min(rounds, 5)],
    ['large.png', '108 MP PNG', Math.min(rounds, 3)],
]) {
    const bytes = readFileSync(join(folder, file));
    const ours = paddock(file);
    const { seen } = await ours.job('both');
    const label = `${name}, ${megabytes(file)}`;
    let known = true;
    try {
        await sharp(bytes).metadata();
        await small(bytes);
    } catch {
        known = false;
    }
    const both = () => Promise.all([small(bytes), pixels(bytes, seen)]);
    const alone = async () => {
        const mine = [];
        for (let round = 0; round < times; round++) mine.push((await ours.job('both')).ms);
        return { ours: median(mine) };
    };
    row(label, `thumbnail and ${seen.join(' × ')} pixels`, known ? await compare(ours, 'both', both, times) : await alone());
    if (file === 'photo.jpg') {
        notes.push(`Our pixels and sharp's differ by ${(await difference(ours, bytes)).toFixed(2)} of 255 on average.`);
    }
    if (file === 'large.png') {
        const fresh = paddock(file);
        const { peak_bytes } = await fresh.job('decode');
        fresh.end();
        notes.push(
            `Decoding the 108 megapixels takes ${(peak_bytes / 2 ** 20).toFixed(0)} MiB at most, of which the file itself is ` +
                `${(bytes.length / 2 ** 20).toFixed(0)} and the upright picture ${((12_000 * 9_000 * 3) / 2 ** 20).toFixed(0)}.`,
        );
    }
    ours.end();
}
notes.forEach((note) => console.log(note));

const { versions } = sharp;
const head = `${cpus()[0].model.trim()}, ${cpus().length} cores; sharp ${versions.sharp} with libvips ${versions.vips}; medians of ${rounds} rounds.`;
const figures = `<!-- figures -->\n${head}\n\n${table.join('\n')}\n\n${notes.join('\n')}\n<!-- /figures -->`;
const page = readFileSync(readme, 'utf8');
writeFileSync(readme, page.replace(/<!-- figures -->[^]*<!-- \/figures -->/, () => figures));
