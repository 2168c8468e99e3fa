/** An email as the bytes that leave, in one run: as tests read them. */

import { type Composable, compose as composePieces } from '../../src/core/compose.ts';
import type { DkimSigner } from '../../src/core/dkim.ts';
import { joined } from '../../src/core/pieces.ts';

export function compose(email: Composable, signer: DkimSigner | null): Uint8Array {
  return joined(composePieces(email, signer).whole.pieces);
}
