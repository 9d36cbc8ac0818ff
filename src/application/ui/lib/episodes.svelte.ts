/** What the last building of episodes refused, for the page that lists them. */

import type { EpisodeReport } from "../../../model/episode.ts";

class EpisodeNews {
  refused = $state.raw<EpisodeReport["refused"]>([]);
}

export const episodeNews = new EpisodeNews();
