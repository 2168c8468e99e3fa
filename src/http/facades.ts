/** The facades that are served over HTTP: a new one is a folder, and a line here. */

import { brevo } from './brevo/facade.ts';
import type { BrevoParts } from './brevo/routes.ts';
import type { HttpFacade } from './facade.ts';
import { resend } from './resend/facade.ts';
import type { ResendParts } from './resend/routes.ts';

export type FacadeParts = ResendParts & BrevoParts;

export const httpFacades: readonly HttpFacade<FacadeParts>[] = [resend, brevo];
