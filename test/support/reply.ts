/** A relay's words as the program reads them. */

import { noReply, type Reply, readReply } from '../../src/core/reply.ts';

export function replyOf(text: string): Reply {
  return readReply(text) ?? noReply(text);
}
