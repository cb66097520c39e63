//! Puts these kernels where the engine's libraries look for them.

use crate::attention::{Attention, Bounds, Cached, Mask, Rows, attention};
use crate::{Format, moe, ops, qmatmul};
use paddock_kernel_hook as hook;

/// Fills the hook's table with this crate's kernels. Says whether it was the first to do so.
pub fn install() -> bool {
    hook::install(hook::Table {
        qmatmul: |format, weights, shape, activations, out| {
            Format::from_ggml(format)
                .is_some_and(|format| qmatmul(format, weights, shape, activations, out).is_ok())
        },
        grouped_qmatmul: |format, weights, shape, expert_of_row, share, activations, out| {
            Format::from_ggml(format).is_some_and(|format| {
                moe::grouped_qmatmul(
                    format,
                    weights,
                    shape,
                    expert_of_row,
                    share,
                    activations,
                    out,
                )
                .is_ok()
            })
        },
        attention: asked_attention,
        rms_norm: ops::rms_norm,
        silu_mul: ops::silu_mul,
        gelu_mul: ops::gelu_mul,
    })
}

fn asked_attention(asked: &hook::Attention<'_>, out: &mut [f32]) -> bool {
    let cached = |rows: hook::Rows<'_>| (rows.batch, rows.position, rows.head);
    let (k, v) = (cached(asked.k), cached(asked.v));
    let call = Attention {
        q: Rows {
            data: asked.q.data,
            batch: asked.q.batch,
            position: asked.q.position,
            head: asked.q.head,
        },
        k: Rows {
            data: Cached::F32(asked.k.data),
            batch: k.0,
            position: k.1,
            head: k.2,
        },
        v: Rows {
            data: Cached::F32(asked.v.data),
            batch: v.0,
            position: v.1,
            head: v.2,
        },
        batch: asked.batch,
        heads: asked.heads,
        kv_heads: asked.kv_heads,
        queries: asked.queries,
        keys: asked.keys,
        d: asked.d,
        dv: asked.dv,
        scale: asked.scale,
        softcap: asked.softcap,
        bounds: Bounds {
            past: asked.past,
            first_key: asked.first_key,
            causal: asked.causal,
            window: asked.window,
            chunk: asked.chunk,
        },
        mask: asked.mask.map(|mask| Mask {
            data: mask.data,
            batch: mask.batch,
            head: mask.head,
            query: mask.query,
        }),
    };
    attention(&call, out)
}
