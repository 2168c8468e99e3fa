/** The doors for who reads about this server, person or program, without a key: openapi.json. */

import type { Door } from './app.ts';
import { openApiDocument } from './openapi/document.ts';

/** Anybody may read it, from anywhere: it says nothing of what is here. */
const headers = { 'content-type': 'application/json; charset=utf-8', 'access-control-allow-origin': '*' };

export const openApiDoor: Door = (app) => {
  const body = JSON.stringify(openApiDocument());
  app.get('/openapi.json', (context) => context.body(body, 200, headers));
};
