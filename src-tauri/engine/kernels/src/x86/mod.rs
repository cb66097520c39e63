//! Kernels for x86-64. Generic code is `#[inline(always)]` and carries no target feature; it is compiled for an
//! instruction set by the one function with `#[target_feature]` that it ends up inlined into (`dispatch`).

pub(crate) mod codes;
pub(crate) mod dispatch;
pub(crate) mod floats;
pub(crate) mod gemv;
pub(crate) mod panel;
pub(crate) mod tile;
