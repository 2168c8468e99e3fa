// What makes the page alive: fresh content, times in the viewer's zone, keys. Everything works without it.

document.documentElement.classList.add('has-script');

const full = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
const short = new Intl.DateTimeFormat(undefined, {
  month: 'short',
  day: 'numeric',
  hour: '2-digit',
  minute: '2-digit',
});

function localize(root) {
  for (const element of root.querySelectorAll('time[datetime]')) {
    const at = new Date(element.dateTime);
    element.textContent = (element.dataset.style === 'short' ? short : full).format(at);
    element.title = `${full.format(at)} (${element.dateTime})`;
  }
  for (const title of root.querySelectorAll('svg title')) {
    title.textContent = title.textContent.replace(/^([\d-]+) ([\d:]+) UTC/, (_, day, time) =>
      short.format(new Date(`${day}T${time}Z`)),
    );
  }
  for (const input of root.querySelectorAll('input[name=zone]')) {
    input.value = String(new Date().getTimezoneOffset());
  }
}

// Content is fetched again from where the page is, and put in the place of the old, focus and what is open or closed kept.
const shortestMs = 1000;
let lastRefresh = 0;
let waiting = null;

function refreshSoon() {
  if (waiting !== null || document.hidden) return;
  waiting = setTimeout(refresh, Math.max(0, lastRefresh + shortestMs - Date.now()));
}

// What is typed into, or about to be answered under a pointer, must not move: an answer would hit another mail.
const inUse = 'input:focus, textarea:focus, select:focus, iframe:focus, [data-hold]:hover';

async function refresh() {
  const main = document.querySelector('main[data-live]');
  const isInUse = (main?.querySelector(inUse) ?? null) !== null;
  if (main && !isInUse) {
    const answer = await fetch(location.href, { headers: { accept: 'text/html' } }).catch(() => null);
    if (answer?.redirected) return location.reload();
    if (answer?.ok) {
      const fresh = new DOMParser().parseFromString(await answer.text(), 'text/html');
      replace(main, fresh);
      for (const old of document.querySelectorAll('[data-fresh]')) {
        old.replaceWith(fresh.querySelector(`[data-fresh="${old.dataset.fresh}"]`) ?? '');
      }
    }
  }
  lastRefresh = Date.now();
  waiting = null;
  document.documentElement.classList.toggle('is-held', isInUse);
  if (isInUse) setTimeout(refreshSoon, shortestMs);
  if (main) refreshWhileSettling(main);
}

// Figures that are not complete yet say so, and are asked for again.
function refreshWhileSettling(main) {
  if (main.querySelector('[data-settling]')) setTimeout(refreshSoon, shortestMs);
}

function replace(main, fresh) {
  const content = fresh.querySelector('main[data-live]');
  if (!content) return;
  localize(content);
  const known = new Set([...main.querySelectorAll('a[data-row]')].map((row) => row.href));
  const focused = main.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  const [seen, opened] = ['details', 'details[open]'].map(
    (which) => new Set([...main.querySelectorAll(`${which} > summary`)].map(nameOf)),
  );
  for (const kept of main.querySelectorAll('[data-keep]')) {
    content.querySelector(`[data-keep="${kept.dataset.keep}"]`)?.replaceWith(kept);
  }
  for (const summary of content.querySelectorAll('details > summary')) {
    if (seen.has(nameOf(summary))) summary.parentElement.open = opened.has(nameOf(summary));
  }
  main.replaceChildren(...content.childNodes);
  for (const row of main.querySelectorAll('a[data-row]')) {
    if (known.size > 0 && !known.has(row.href)) row.classList.add('is-new');
  }
  if (focused === null) return;
  const again = [...main.querySelectorAll('a, button, summary')].find((element) => nameOf(element) === focused);
  again?.focus({ preventScroll: true });
}

/** Tells what can be focused from its neighbours, before and after: a link by where it leads, a button by what it does. */
function nameOf(element) {
  const target = element.getAttribute('href') ?? element.dataset.copy ?? element.form?.getAttribute('action') ?? '';
  return `${element.tagName} ${target} ${element.matches('a, [data-copy]') ? '' : element.textContent}`;
}

function listen() {
  const main = document.querySelector('main[data-live]');
  if (!main) return;
  refreshWhileSettling(main);
  const stream = new EventSource(main.dataset.live);
  stream.addEventListener('change', refreshSoon);
  stream.addEventListener('hello', () => document.documentElement.classList.add('is-live'));
  document.addEventListener('visibilitychange', () => {
    if (!document.hidden) refreshSoon();
  });
  // Figures are counted a moment after their cause: look once more when it has been quiet.
  let later = null;
  stream.addEventListener('change', () => {
    clearTimeout(later);
    later = setTimeout(refreshSoon, 1800);
  });
}

document.addEventListener('keydown', (event) => {
  if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === 'k') {
    event.preventDefault();
    return search();
  }
  if (event.metaKey || event.ctrlKey || event.altKey || event.target.closest('input, textarea, select')) return;
  if (event.key === '/') {
    event.preventDefault();
    search();
  }
  if (event.key === '?') showKeys();
  if (isGoing && places[event.key]) location.href = `/dashboard${places[event.key]}`;
  isGoing = event.key === 'g';
  if (event.key === 'j' || event.key === 'k') move(event.key === 'j' ? 1 : -1);
});

/** After g: where to go. */
const places = { o: '', e: '/emails', i: '/idempotency', d: '/in-doubt', w: '/webhooks', r: '/relays', s: '/setup' };
let isGoing = false;

function search() {
  const field = document.querySelector('input[type=search]');
  if (!field) {
    location.href = '/dashboard/emails#search';
    return;
  }
  field.focus();
  field.select();
}

const keys = [
  ['/ or Ctrl-K', 'search'],
  ['j, k', 'next and previous row'],
  ['Enter', 'open the row'],
  ['g o', 'overview'],
  ['g e', 'emails'],
  ['g i', 'idempotency'],
  ['g d', 'in doubt'],
  ['g w', 'webhooks'],
  ['g r', 'relays'],
  ['g s', 'setup'],
  ['?', 'these keys'],
];

function showKeys() {
  const dialog = document.createElement('dialog');
  dialog.ariaLabel = 'Keyboard';
  const list = document.createElement('dl');
  list.className = 'facts';
  for (const [pressed, meaning] of keys) {
    const [term, what] = ['dt', 'dd'].map((name) => document.createElement(name));
    term.textContent = pressed;
    what.textContent = meaning;
    list.append(term, what);
  }
  dialog.append(list);
  dialog.addEventListener('close', () => dialog.remove());
  dialog.addEventListener('click', () => dialog.close());
  document.body.append(dialog);
  dialog.showModal();
}

function move(by) {
  const rows = [...document.querySelectorAll('a[data-row]')];
  const at = rows.indexOf(document.activeElement);
  const next = rows[at < 0 ? (by > 0 ? 0 : rows.length - 1) : at + by];
  next?.focus();
  next?.scrollIntoView({ block: 'nearest' });
}

document.addEventListener('click', async (event) => {
  const button = event.target.closest('[data-copy]');
  if (!button) return;
  button.dataset.label ??= button.textContent;
  button.textContent = (await copy(button.dataset.copy)) ? 'Copied' : 'Not copied';
  setTimeout(() => {
    button.textContent = button.dataset.label;
  }, 1500);
});

/** Browsers give a page its clipboard over TLS or on this machine only; elsewhere, what is selected can be copied. */
async function copy(text) {
  if (navigator.clipboard) {
    return navigator.clipboard.writeText(text).then(
      () => true,
      () => false,
    );
  }
  const before = document.activeElement;
  const field = document.createElement('textarea');
  field.className = 'skip';
  field.value = text;
  document.body.append(field);
  field.select();
  const isCopied = document.execCommand('copy');
  field.remove();
  before?.focus({ preventScroll: true });
  return isCopied;
}

document.addEventListener('submit', (event) => {
  const question = event.submitter?.dataset.confirm;
  if (question && !confirm(question)) event.preventDefault();
});

localize(document);
listen();
if (location.hash === '#search') document.querySelector('input[type=search]')?.focus();
