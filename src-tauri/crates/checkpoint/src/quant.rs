//! Quantisations that the engine can make while it loads, with their exact sizes.
//!
//! Outside: types that only files have (see [`crate::StoredType`]); the quality of a quantisation.

use serde::{Deserialize, Serialize};

use crate::tensors::StoredType;

/// What the weights become in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Quant {
    /// As the file has them.
    #[serde(rename = "none")]
    None,
    #[serde(rename = "q8_0")]
    Q8_0,
    #[serde(rename = "q6k")]
    Q6K,
    #[serde(rename = "q5k")]
    Q5K,
    #[serde(rename = "q4k")]
    Q4K,
}

impl Quant {
    /// From the largest to the smallest.
    pub const ALL: [Self; 5] = [Self::None, Self::Q8_0, Self::Q6K, Self::Q5K, Self::Q4K];

    /// As the engine's `--quant` takes it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Q8_0 => "q8_0",
            Self::Q6K => "q6k",
            Self::Q5K => "q5k",
            Self::Q4K => "q4k",
        }
    }

    /// The block format; `None` for no quantisation.
    #[must_use]
    pub fn block(self) -> Option<StoredType> {
        match self {
            Self::None => None,
            Self::Q8_0 => Some(StoredType::Q8_0),
            Self::Q6K => Some(StoredType::Q6K),
            Self::Q5K => Some(StoredType::Q5K),
            Self::Q4K => Some(StoredType::Q4K),
        }
    }

    /// Bytes that a weight takes in a whole block; none for no quantisation.
    #[must_use]
    pub fn bytes_per_weight(self) -> Option<f64> {
        let block = self.block()?;
        let values = block.block_elements();
        Some(block.bytes_of(values)? as f64 / values as f64)
    }

    /// What a tensor whose last dimension is `row` becomes. mistral.rs 0.8.1 (`get_quantization_behaviour`) takes a
    /// 32-wide block where the 256-wide one does not divide the row, and 32-bit floats where neither does.
    #[must_use]
    pub fn applied_to(self, row: u64) -> Option<StoredType> {
        let block = self.block()?;
        let fallback = match self {
            Self::Q6K => StoredType::Q5_1,
            Self::Q5K => StoredType::Q5_0,
            Self::Q4K => StoredType::Q4_1,
            Self::None | Self::Q8_0 => block,
        };
        Some(
            [block, fallback]
                .into_iter()
                .find(|kind| row > 0 && row.is_multiple_of(kind.block_elements()))
                .unwrap_or(StoredType::F32),
        )
    }
}

impl std::fmt::Display for Quant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A name that is no quantisation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a quantisation; it has to be none, q8_0, q6k, q5k or q4k.")]
pub struct QuantError(pub String);

impl std::str::FromStr for Quant {
    type Err = QuantError;

    /// Takes `Q4K`, `q4_k`, `Q4_K_M` and the like.
    fn from_str(text: &str) -> Result<Self, QuantError> {
        let plain: String = text
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        match plain.as_str() {
            "none" | "bf16" | "f16" | "f32" => Ok(Self::None),
            "q80" => Ok(Self::Q8_0),
            "q6k" => Ok(Self::Q6K),
            "q5k" | "q5km" | "q5ks" => Ok(Self::Q5K),
            "q4k" | "q4km" | "q4ks" => Ok(Self::Q4K),
            _ => Err(QuantError(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_rows_fall_back_as_the_engine_does() {
        assert_eq!(Quant::Q4K.applied_to(5120), Some(StoredType::Q4K));
        assert_eq!(Quant::Q4K.applied_to(96), Some(StoredType::Q4_1));
        assert_eq!(Quant::Q6K.applied_to(160), Some(StoredType::Q5_1));
        assert_eq!(Quant::Q8_0.applied_to(30), Some(StoredType::F32));
        assert_eq!(Quant::None.applied_to(256), None);
    }

    #[test]
    fn names_are_read_in_every_usual_spelling() {
        for (text, quant) in [
            ("Q4K", Quant::Q4K),
            ("q4_k_m", Quant::Q4K),
            ("Q8_0", Quant::Q8_0),
            ("bf16", Quant::None),
        ] {
            assert_eq!(text.parse(), Ok(quant), "{text}");
        }
        assert!("q3".parse::<Quant>().is_err());
    }
}
