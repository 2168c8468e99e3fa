// What the scripts of all Node SDKs share: each call is tried, and told on a line of its own as JSON.
export const { SENDONCE_URL: url, SENDONCE_KEY: key, LOSSY_URL: lossy, SDK: label, PACKAGE: packageName } = process.env;

// [name, id] of emails in every state.
export const fixtures = process.env.FIXTURES.split(',').map((one) => one.split('='));

export function told(call, ok, said = '') {
  console.log(JSON.stringify({ call, ok: Boolean(ok), said: String(said).slice(0, 300) }));
}

// `work` resolves with what is to be true of the answer, or rejects.
export async function attempt(call, work) {
  try {
    const answer = await work();
    told(call, answer, typeof answer === 'boolean' ? '' : JSON.stringify(answer));
    return answer;
  } catch (error) {
    told(call, false, wordsOf(error));
    return null;
  }
}

// `work` must reject, and what it rejects with must say so.
export async function refused(call, work, words) {
  try {
    told(call, false, `was not refused: ${JSON.stringify(await work())}`);
  } catch (error) {
    told(call, wordsOf(error).includes(words), wordsOf(error));
  }
}

function wordsOf(error) {
  const body = error.body ?? error.response?.data ?? error.response?.text ?? '';
  return `${error.name}: ${error.message} ${typeof body === 'string' ? body : JSON.stringify(body)}`;
}

export async function fails(work) {
  try {
    await work();
    return false;
  } catch {
    return true;
  }
}
