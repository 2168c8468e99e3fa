/** A line to the server that fails once: it loses the first answer, or the first request. The other examples send through it. */

import { createServer } from 'node:http';

/** @returns the line's address, and how many requests it was given. */
export async function openLine({ loses }) {
  const line = { requests: 0 };
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    line.requests += 1;
    if (line.requests === 1 && loses === 'request') return request.socket.destroy();
    const { host, ...headers } = request.headers;
    const url = new URL(request.url, process.env.RESEND_BASE_URL);
    const answer = await fetch(url, { method: request.method, headers, body: Buffer.concat(chunks) });
    const text = await answer.text();
    if (line.requests === 1 && loses === 'answer') return request.socket.destroy();
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(text);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  line.url = `http://127.0.0.1:${server.address().port}`;
  line.close = () => server.close();
  return line;
}
