//! HTTP as it is spoken outside: odd answers, each held against what curl makes of the
//! same server, and failures that say why.

mod answers;
mod causes;
mod curl;
mod cut;
mod elsewhere;
mod frames;
mod redirects;
mod sites;
mod times;
