// Makes what a release has, into `release/`: the package, its bill of materials, checksums, notes from CHANGELOG.md, and the image
// where a machine can build one. A person publishes it, or the workflow does on a tag. `--dry-run` works without a tag.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { 'dry-run': { type: 'boolean' }, tag: { type: 'string' } } });
const isDry = values['dry-run'] === true;
const target = 'release';
const { name, version } = JSON.parse(readFileSync('package.json', 'utf8'));

const notes = notesOf(readFileSync('CHANGELOG.md', 'utf8'));
checkTag();
rmSync(target, { recursive: true, force: true });
mkdirSync(target);
run('npm', 'pack', '--silent', '--pack-destination', target);
writeFileSync(`${target}/${name}-${version}.spdx.json`, run('npm', 'sbom', '--omit=dev', '--sbom-format=spdx'));
writeFileSync(`${target}/NOTES.md`, `${notes}\n`);
makeImage();
const files = readdirSync(target).sort();
const sums = files.map(
  (file) =>
    `${createHash('sha256')
      .update(readFileSync(`${target}/${file}`))
      .digest('hex')}  ${file}`,
);
writeFileSync(`${target}/SHA256SUMS`, `${sums.join('\n')}\n`);
console.log([`${name} ${version}${isDry ? ' (dry run)' : ''}`, ...sums].join('\n'));

// What stands under the version's heading; in a dry run what is to be released, where it has none yet.
function notesOf(changelog) {
  const sections = changelog.split(/^## /m).slice(1);
  const own = sections.find((text) => text.startsWith(`[${version}]`));
  const next = sections.find((text) => text.startsWith('[Unreleased]'));
  const found = own ?? (isDry ? next : null);
  if (!found)
    fail(`CHANGELOG.md has no heading [${version}]: give what is under [Unreleased] the version and the date.`);
  if (!own) console.log(`CHANGELOG.md has no heading [${version}] yet: a release needs it.`);
  return found.slice(found.indexOf('\n')).trim();
}

// The tag is `v` and the version; whoever releases by hand says it, or has it checked out.
function checkTag() {
  const tag = values.tag ?? tags().find((one) => one === `v${version}`) ?? null;
  if (tag === `v${version}`) return;
  const text = `the tag is ${tag ?? 'missing'}, and package.json says ${version}: git tag v${version}`;
  if (isDry) console.log(`A release needs a tag: ${text}`);
  else fail(text);
}

function tags() {
  return run('git', 'tag', '--points-at', 'HEAD').split('\n').filter(Boolean);
}

// With Docker, or Debian's buildah where there is none. Said out loud where neither is there.
function makeImage() {
  const tool = ['docker', 'buildah'].find(works);
  if (!tool) return console.log('No image: this machine has neither docker nor buildah that works.');
  const image = `${name}:${version}`;
  const words = tool === 'docker' ? ['build'] : ['build', '--isolation', 'chroot', '--storage-driver', 'vfs'];
  execFileSync(tool, [...words, '-f', 'deploy/Dockerfile', '-t', image, '.'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const saved = `${target}/${name}-${version}.image.tar`;
  if (tool === 'docker') run('docker', 'save', '-o', saved, image);
  else run('buildah', 'push', '--storage-driver', 'vfs', image, `oci-archive:${saved}`);
}

function works(tool) {
  try {
    execFileSync(tool, ['info'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function run(command, ...words) {
  return execFileSync(command, words, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 64 * 1024 * 1024,
  });
}

function fail(sentence) {
  console.error(`release: ${sentence}`);
  process.exit(1);
}
