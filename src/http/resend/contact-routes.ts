/** The paths of contacts, and of what they are sorted by. */

import type { Call, Reply } from '../call.ts';
import type { Routes } from '../route-table.ts';
import {
  type BroadcastParts,
  cancelBroadcast,
  changeBroadcast,
  createBroadcast,
  duplicateBroadcast,
  removeBroadcast,
  sendBroadcast,
  showBroadcast,
  showBroadcasts,
} from './broadcasts.ts';
import {
  changeProperty,
  createProperty,
  type PropertyParts,
  removeProperty,
  showProperties,
  showProperty,
} from './contact-properties.ts';
import {
  addContactToSegment,
  changeContact,
  changeContactTopics,
  createContact,
  removeContact,
  removeContactFromSegment,
  showContact,
  showContactSegments,
  showContacts,
  showContactTopics,
} from './contacts.ts';
import {
  changeInAudience,
  createInAudience,
  removeFromAudience,
  type SegmentParts,
  segmentRoutes,
  showInAudience,
  showSegmentContacts,
} from './segments.ts';
import { changeTopic, createTopic, removeTopic, showTopic, showTopics, type TopicParts } from './topics.ts';

export type ContactRouteParts = BroadcastParts & SegmentParts & TopicParts & PropertyParts;

type Handle = (parts: ContactRouteParts, call: Call) => Promise<Reply>;
type Answer = Routes[number][1]['GET'];

export function contactRoutes(full: (handle: Handle) => NonNullable<Answer>): Routes {
  const segments = segmentRoutes('segment');
  const audiences = segmentRoutes('audience');
  return [
    ['/contacts', { POST: full(createContact), GET: full(showContacts) }],
    // Not ours, and before `:id`, which it would be taken for.
    ['/contacts/imports', {}],
    ['/contacts/:id', { GET: full(showContact), PATCH: full(changeContact), DELETE: full(removeContact) }],
    ['/contacts/:id/segments', { GET: full(showContactSegments) }],
    ['/contacts/:id/segments/:segment', { POST: full(addContactToSegment), DELETE: full(removeContactFromSegment) }],
    ['/contacts/:id/topics', { GET: full(showContactTopics), PATCH: full(changeContactTopics) }],
    ['/segments', { POST: full(segments.create), GET: full(segments.list) }],
    ['/segments/:id', { GET: full(segments.show), PATCH: full(segments.change), DELETE: full(segments.remove) }],
    ['/segments/:id/contacts', { GET: full(showSegmentContacts) }],
    ['/audiences', { POST: full(audiences.create), GET: full(audiences.list) }],
    ['/audiences/:id', { GET: full(audiences.show), DELETE: full(audiences.remove) }],
    ['/audiences/:id/contacts', { POST: full(createInAudience), GET: full(showSegmentContacts) }],
    [
      '/audiences/:id/contacts/:contact',
      { GET: full(showInAudience), PATCH: full(changeInAudience), DELETE: full(removeFromAudience) },
    ],
    ['/broadcasts', { POST: full(createBroadcast), GET: full(showBroadcasts) }],
    ['/broadcasts/:id', { GET: full(showBroadcast), PATCH: full(changeBroadcast), DELETE: full(removeBroadcast) }],
    ['/broadcasts/:id/send', { POST: full(sendBroadcast) }],
    ['/broadcasts/:id/cancel', { POST: full(cancelBroadcast) }],
    ['/broadcasts/:id/duplicate', { POST: full(duplicateBroadcast) }],
    ['/topics', { POST: full(createTopic), GET: full(showTopics) }],
    ['/topics/:id', { GET: full(showTopic), PATCH: full(changeTopic), DELETE: full(removeTopic) }],
    ['/contact-properties', { POST: full(createProperty), GET: full(showProperties) }],
    ['/contact-properties/:id', { GET: full(showProperty), PATCH: full(changeProperty), DELETE: full(removeProperty) }],
  ];
}
