//! Hands a plan to one backend; nobody else knows both.
