//! The memory to plan against: this computer's, or imagined hardware by its name.
//!
//! Outside: detecting devices.

use paddock_devices::{DeviceKind, DeviceReport};

/// One device's memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HardwareDevice {
    pub name: String,
    pub kind: DeviceKind,
    /// Memory that can be used now.
    pub free_bytes: u64,
}

/// What the model would run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hardware {
    pub name: String,
    /// One device, or several equal ones of a server.
    pub devices: Vec<HardwareDevice>,
    /// The computer's own memory besides a GPU's, for a model that does not fit there.
    pub ram_free_bytes: u64,
}

/// A name that means nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HardwareError {
    #[error("{0:?} is not an amount of memory; write it like 24GiB or 16GB.")]
    Memory(String),
    #[error("{text:?} is not a device known here; known are {known}, and any memory like 8x80GB.")]
    Device { text: String, known: String },
}

/// GPUs by what people call them, with their memory in GB (10^9) as it is sold. Real ones have up to 7 % more, so a
/// plan for them errs on the safe side. Longer names first where one contains the other.
const GPUS: [(&str, u64); 26] = [
    ("b200", 180),
    ("h200", 141),
    ("h100nvl", 94),
    ("h100", 80),
    ("a100-40", 40),
    ("a100", 80),
    ("gh200", 96),
    ("mi300x", 192),
    ("l40s", 48),
    ("l40", 48),
    ("l4", 24),
    ("a6000", 48),
    ("a10g", 24),
    ("a10", 24),
    ("t4", 16),
    ("v100", 32),
    ("rtx5090", 32),
    ("rtx5080", 16),
    ("rtx4090", 24),
    ("rtx4080", 16),
    ("rtx4070", 12),
    ("rtx4060", 8),
    ("rtx3090", 24),
    ("rtx3080", 10),
    ("rtx3070", 8),
    ("rtx3060", 12),
];

/// Bytes of `24GiB`, `16 GB`, `512MiB`, `1.5TB` or a plain number of bytes.
///
/// # Errors
/// If it is none of these, or nothing or more than 2^60 bytes.
pub fn parse_bytes(text: &str) -> Result<u64, HardwareError> {
    let error = || HardwareError::Memory(text.to_owned());
    let trimmed = text.trim();
    let split = trimmed
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(trimmed.len());
    let (digits, unit) = trimmed.split_at(split);
    let number: f64 = digits.parse().map_err(|_| error())?;
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "kib" => 1024.0,
        "kb" | "k" => 1e3,
        "mib" => 1_048_576.0,
        "mb" | "m" => 1e6,
        "gib" => 1_073_741_824.0,
        "gb" | "g" => 1e9,
        "tib" => 1_099_511_627_776.0,
        "tb" | "t" => 1e12,
        _ => return Err(error()),
    };
    let bytes = number * factor;
    if bytes >= 1.0 && bytes <= (1_u64 << 60) as f64 {
        Ok(bytes as u64)
    } else {
        Err(error())
    }
}

fn gibibytes(bytes: u64) -> f64 {
    bytes as f64 / 1_073_741_824.0
}

impl Hardware {
    /// This computer's device of that id, with the memory that is free now.
    #[must_use]
    pub fn of_report(report: &DeviceReport, id: &str) -> Option<Self> {
        let device = report.device(id)?;
        let ram = report
            .devices
            .iter()
            .find(|device| device.kind == DeviceKind::Cpu)
            .map_or(0, |cpu| cpu.free_bytes);
        Some(Self {
            name: device.name.clone(),
            ram_free_bytes: if device.kind == DeviceKind::Cpu {
                0
            } else {
                ram
            },
            devices: vec![HardwareDevice {
                name: device.name.clone(),
                kind: device.kind,
                free_bytes: device.free_bytes,
            }],
        })
    }

    /// The same when a program that holds `bytes` of the computer's memory has ended: never more than the device has.
    #[must_use]
    pub fn with_returned(mut self, report: &DeviceReport, bytes: u64) -> Self {
        let total = report
            .devices
            .iter()
            .find(|device| device.kind == DeviceKind::Cpu)
            .map_or(0, |cpu| cpu.total_bytes);
        let add = |free: &mut u64| *free = free.saturating_add(bytes).min(total.max(*free));
        if self.kind() == DeviceKind::Cpu {
            self.devices
                .iter_mut()
                .for_each(|device| add(&mut device.free_bytes));
        } else {
            add(&mut self.ram_free_bytes);
        }
        self
    }

    /// What people write when they imagine hardware: an amount of memory (`24GiB`, on a processor) or a device's name.
    ///
    /// # Errors
    /// As [`Self::parse`].
    pub fn imagined(text: &str) -> Result<Self, HardwareError> {
        parse_bytes(text).map_or_else(|_| Self::parse(text), |bytes| Ok(Self::of_memory(bytes)))
    }

    /// The same devices with so much free memory each.
    #[must_use]
    pub fn with_memory(mut self, bytes: u64) -> Self {
        for device in &mut self.devices {
            device.free_bytes = bytes;
        }
        self.name = format!("{}, {:.1} GiB free each", self.name, gibibytes(bytes));
        if self.devices.len() == 1 {
            self.name = self.name.trim_end_matches(" each").to_owned();
        }
        self
    }

    /// So much free memory, on a processor of this computer's kind.
    #[must_use]
    pub fn of_memory(bytes: u64) -> Self {
        let name = format!("{:.1} GiB of memory", gibibytes(bytes));
        Self {
            devices: vec![HardwareDevice {
                name: name.clone(),
                kind: DeviceKind::Cpu,
                free_bytes: bytes,
            }],
            name,
            ram_free_bytes: 0,
        }
    }

    /// `H100`, `8xH100`, `RTX 4090`, `2x24GiB`, `8x80 GB`; or `cpu:64GB`.
    ///
    /// # Errors
    /// If the name is not known, or more than 1,024 devices are asked for.
    pub fn parse(text: &str) -> Result<Self, HardwareError> {
        let plain: String = text
            .chars()
            .filter(|c| !c.is_whitespace())
            .map(|c| {
                if c == '×' || c == '*' {
                    'x'
                } else {
                    c.to_ascii_lowercase()
                }
            })
            .collect();
        let error = || HardwareError::Device {
            text: text.to_owned(),
            known: GPUS
                .iter()
                .map(|(name, _)| name.to_ascii_uppercase())
                .collect::<Vec<_>>()
                .join(", "),
        };
        if let Some(memory) = plain.strip_prefix("cpu:") {
            return parse_bytes(memory).map(Self::of_memory);
        }
        let (count, one) = match plain.split_once('x') {
            Some((digits, rest))
                if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) =>
            {
                (digits.parse::<usize>().map_err(|_| error())?, rest)
            }
            _ => (1, plain.as_str()),
        };
        if !(1..=1024).contains(&count) {
            return Err(error());
        }
        let bare = one
            .trim_start_matches("nvidia")
            .trim_start_matches("geforce");
        let bare: String = bare
            .chars()
            .filter(|c| *c != '-' || bare.starts_with("a100"))
            .collect();
        let bytes = if bare.starts_with(|c: char| c.is_ascii_digit())
            && !bare.bytes().all(|b| b.is_ascii_digit())
        {
            parse_bytes(&bare)?
        } else {
            let with_rtx = format!("rtx{bare}");
            GPUS.iter()
                .find(|(name, _)| *name == bare || *name == with_rtx)
                .or_else(|| GPUS.iter().find(|(name, _)| bare.starts_with(name)))
                .map(|(_, gigabytes)| gigabytes * 1_000_000_000)
                .ok_or_else(error)?
        };
        let device = HardwareDevice {
            name: one.to_ascii_uppercase(),
            kind: DeviceKind::Cuda,
            free_bytes: bytes,
        };
        Ok(Self {
            name: text.trim().to_owned(),
            devices: vec![device; count],
            ram_free_bytes: 0,
        })
    }

    /// All devices' memory.
    #[must_use]
    pub fn total_bytes(&self) -> u64 {
        self.devices
            .iter()
            .map(|device| device.free_bytes)
            .fold(0, u64::saturating_add)
    }

    /// Kind of the devices, the processor if there is none.
    #[must_use]
    pub fn kind(&self) -> DeviceKind {
        self.devices
            .first()
            .map_or(DeviceKind::Cpu, |device| device.kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_is_read_in_every_usual_unit() {
        for (text, bytes) in [
            ("24GiB", 25_769_803_776),
            ("24 GiB", 25_769_803_776),
            ("16GB", 16_000_000_000),
            ("1.5tb", 1_500_000_000_000),
            ("512MiB", 536_870_912),
            ("1000", 1000),
        ] {
            assert_eq!(parse_bytes(text), Ok(bytes), "{text}");
        }
        for text in [
            "",
            "GiB",
            "-1GB",
            "12 parsecs",
            "1e99GB",
            "0",
            "99999999999TB",
            "nan",
        ] {
            assert!(parse_bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn memory_of_a_program_that_ends_is_free_but_never_more_than_there_is() {
        let cpu = |free_bytes| DeviceReport {
            cpu: paddock_devices::Cpu {
                name: "p".into(),
                physical_cores: 2,
                threads: 2,
                features: vec![],
            },
            devices: vec![paddock_devices::Device {
                id: "cpu".into(),
                kind: DeviceKind::Cpu,
                name: "p".into(),
                total_bytes: 1000,
                free_bytes,
            }],
            selected: "cpu".into(),
            reason: String::new(),
        };
        let free = |free_bytes, back| {
            let report = cpu(free_bytes);
            Hardware::of_report(&report, "cpu")
                .unwrap()
                .with_returned(&report, back)
                .total_bytes()
        };
        assert_eq!(free(300, 0), 300);
        assert_eq!(free(300, 200), 500);
        assert_eq!(free(900, 200), 1000);
    }

    #[test]
    fn imagined_hardware_is_memory_or_a_device() {
        let kind = |text| Hardware::imagined(text).map(|hardware| hardware.kind());
        assert_eq!(kind("24GiB"), Ok(DeviceKind::Cpu));
        assert_eq!(kind("8xH100"), Ok(DeviceKind::Cuda));
        assert_eq!(kind("2x24GiB"), Ok(DeviceKind::Cuda));
        assert!(kind("toaster").is_err());
        let two = Hardware::parse("2xH100").unwrap().with_memory(60 << 30);
        assert_eq!(
            (two.total_bytes(), two.name.as_str()),
            (120 << 30, "2xH100, 60.0 GiB free each")
        );
    }

    #[test]
    fn devices_are_known_by_their_usual_names() {
        for (text, count, gigabytes) in [
            ("8xH100", 8, 80),
            ("H100", 1, 80),
            ("8 x H100", 8, 80),
            ("8xH200", 8, 141),
            ("RTX 4090", 1, 24),
            ("2x4090", 2, 24),
            ("8x80GB", 8, 80),
            ("A100-40GB", 1, 40),
            ("H100-80GB", 1, 80),
        ] {
            let hardware = Hardware::parse(text).unwrap();
            assert_eq!(hardware.devices.len(), count, "{text}");
            assert_eq!(
                hardware.devices[0].free_bytes,
                gigabytes * 1_000_000_000,
                "{text}"
            );
        }
        for text in [
            "",
            "x",
            "0xH100",
            "9999xH100",
            "toaster",
            "8x",
            "99999999999999999999xH100",
        ] {
            assert!(Hardware::parse(text).is_err(), "{text}");
        }
    }
}
