//! What the console's page is sent: figures that agree with the findings, and marks that the
//! journal has, without a socket.

mod frames;
mod played;
