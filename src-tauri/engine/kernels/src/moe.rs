//! Mixtures of experts: rows of activations sorted by the expert they go to, one region over all experts that are used.

use crate::format::Format;
use crate::isa::{self, Isa};
use crate::matmul::{self, Plan, Refused};
use crate::pool;
use crate::scratch::Shared;

/// `out[r] = weights[expert[r]] . activations[r / share]` for every row `r` of the result. `weights` are the `[experts][n][k]`
/// matrices in one piece; each row of activations goes to `share` experts in turn (1 where every row is its own).
/// `out` is `[experts_of_rows.len()][n]`. A row is bit for bit what `qmatmul` gives it.
pub fn grouped_qmatmul(
    format: Format,
    weights: &[u8],
    (experts, n, k): (usize, usize, usize),
    expert_of_row: &[u32],
    share: usize,
    activations: &[f32],
    out: &mut [f32],
) -> Result<(), Refused> {
    grouped_qmatmul_on(
        isa::chosen(),
        format,
        weights,
        (experts, n, k),
        expert_of_row,
        share,
        activations,
        out,
    )
}

/// As `grouped_qmatmul`, on an instruction set of the caller's choice; the best available one if this is not.
pub fn grouped_qmatmul_on(
    isa: Isa,
    format: Format,
    weights: &[u8],
    (experts, n, k): (usize, usize, usize),
    expert_of_row: &[u32],
    share: usize,
    activations: &[f32],
    out: &mut [f32],
) -> Result<(), Refused> {
    let isa = if isa.available() { isa } else { Isa::best() };
    let (rows, share) = (expert_of_row.len(), share.max(1));
    let tokens = rows.div_ceil(share);
    let all = n.saturating_mul(experts);
    matmul::check(format, weights, (0, all, k), &[], &[])?;
    matmul::check(format, &[], (tokens, 0, k), activations, out)?;
    matmul::check(format, &[], (rows, n, 0), activations, out).or_else(
        |refused| match refused {
            Refused::TooShort {
                what: "weights", ..
            } => Ok(()),
            other => Err(other),
        },
    )?;
    if let Some(&expert) = expert_of_row
        .iter()
        .find(|&&expert| expert as usize >= experts)
    {
        return Err(Refused::TooShort {
            what: "experts",
            has: experts,
            needs: expert as usize + 1,
        });
    }
    if rows == 0 || n == 0 {
        return Ok(());
    }
    let expert_bytes = format.row_bytes(k).unwrap_or(0) * n;
    if k == 0 || format.is_dense() {
        // Dense experts: one product each, on the rows gathered.
        for expert in 0..experts as u32 {
            let chosen: Vec<usize> = (0..rows).filter(|&r| expert_of_row[r] == expert).collect();
            let x: Vec<f32> = chosen
                .iter()
                .flat_map(|&r| &activations[r / share * k..(r / share + 1) * k])
                .copied()
                .collect();
            let mut y = vec![0f32; chosen.len() * n];
            let weights =
                &weights[expert as usize * expert_bytes..(expert as usize + 1) * expert_bytes];
            matmul::qmatmul_on(isa, format, weights, (chosen.len(), n, k), &x, &mut y)?;
            for (y, r) in y.chunks_exact(n).zip(chosen) {
                out[r * n..(r + 1) * n].copy_from_slice(y);
            }
        }
        return Ok(());
    }

    // Rows by expert, in their order; each is quantised once per token and then copied to its place.
    let mut order: Vec<usize> = (0..rows).collect();
    order.sort_by_key(|&r| expert_of_row[r]);
    let a = matmul::quantise(isa, format, tokens, k, activations);
    let a = a.gathered(order.iter().map(|&r| r / share));
    let mut sorted = vec![0f32; rows * n];
    let to = Shared(sorted.as_mut_ptr());
    let mut units = Vec::new();
    let mut i = 0;
    while i < rows {
        let expert = expert_of_row[order[i]];
        let count = order[i..]
            .iter()
            .take_while(|&&r| expert_of_row[r] == expert)
            .count();
        // As many units as if the experts shared the threads between them.
        let plan = Plan::new(isa, format, count, n, k, pool::threads());
        for u in 0..plan.units() {
            let (i0, some, first, columns) = plan.unit(u);
            units.push((expert as usize, plan.many, (i + i0, some, first, columns)));
        }
        i += count;
    }
    pool::parallel(units.len(), &|u| {
        let (expert, many, place) = units[u];
        let weights = &weights[expert * expert_bytes..(expert + 1) * expert_bytes];
        // SAFETY: the units' places in `sorted` are apart, and the slices are as long as the shape says.
        unsafe { matmul::some(isa, format, weights, &a, n, to, many, place) }
    });
    for (row, &r) in sorted.chunks_exact(n).zip(&order) {
        out[r * n..(r + 1) * n].copy_from_slice(row);
    }
    Ok(())
}
