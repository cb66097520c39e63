//! Which instruction set the kernels use: chosen once, when the program runs. `PADDOCK_ISA` forces one.

use std::sync::OnceLock;

/// An instruction set there are kernels for. Of a family, a later one includes the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// Plain Rust.
    Scalar,
    /// x86-64-v3: AVX2, FMA, F16C.
    Avx2,
    /// `vpdpbusd` on 256 bits (Alder Lake and later, Zen 5).
    AvxVnni,
    /// AVX-512 F, BW, VL, DQ and `vpdpbusd` on 512 bits (Ice Lake and later, Zen 4 and later).
    Avx512Vnni,
}

impl Isa {
    pub const ALL: [Isa; 4] = [Isa::Scalar, Isa::Avx2, Isa::AvxVnni, Isa::Avx512Vnni];

    /// The name in reports and in `PADDOCK_ISA`.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Scalar => "scalar",
            Isa::Avx2 => "avx2",
            Isa::AvxVnni => "avx-vnni",
            Isa::Avx512Vnni => "avx512-vnni",
        }
    }

    fn from_name(name: &str) -> Option<Isa> {
        Isa::ALL
            .into_iter()
            .find(|isa| isa.name().eq_ignore_ascii_case(name.trim()))
    }

    /// Whether this CPU and operating system can run it.
    #[cfg(target_arch = "x86_64")]
    pub fn available(self) -> bool {
        let avx2 = || {
            is_x86_feature_detected!("avx2")
                && is_x86_feature_detected!("fma")
                && is_x86_feature_detected!("f16c")
        };
        let avx512 = || {
            avx2()
                && is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512vl")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vnni")
        };
        match self {
            Isa::Scalar => true,
            Isa::Avx2 => avx2(),
            Isa::AvxVnni => avx2() && is_x86_feature_detected!("avxvnni"),
            Isa::Avx512Vnni => avx512(),
        }
    }

    /// Whether this CPU and operating system can run it.
    #[cfg(not(target_arch = "x86_64"))]
    pub fn available(self) -> bool {
        self == Isa::Scalar
    }

    /// The last of `ALL` that this computer can run.
    pub fn best() -> Isa {
        Isa::ALL
            .into_iter()
            .rev()
            .find(|isa| isa.available())
            .unwrap_or(Isa::Scalar)
    }
}

/// Every instruction set this computer can run, the plainest first.
pub fn available() -> Vec<Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.available()).collect()
}

/// What was chosen, and what to say if `PADDOCK_ISA` asked for something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    pub isa: Isa,
    /// A sentence for the log when the wish could not be followed.
    pub complaint: Option<String>,
}

/// Decides on `wish`, the value of `PADDOCK_ISA`. An unknown name, or one this computer cannot run, is said in words
/// and the best available one is taken: a wrong variable must neither crash nor go unseen.
pub fn choose(wish: Option<&str>) -> Choice {
    let best = Isa::best();
    let Some(wish) = wish.filter(|wish| !wish.trim().is_empty()) else {
        return Choice {
            isa: best,
            complaint: None,
        };
    };
    let names = |isas: Vec<Isa>| {
        isas.into_iter()
            .map(Isa::name)
            .collect::<Vec<_>>()
            .join(", ")
    };
    match Isa::from_name(wish) {
        Some(isa) if isa.available() => Choice {
            isa,
            complaint: None,
        },
        Some(isa) => Choice {
            isa: best,
            complaint: Some(format!(
                "PADDOCK_ISA asks for {}, which this computer cannot run; using {}. It can run: {}.",
                isa.name(),
                best.name(),
                names(available())
            )),
        },
        None => Choice {
            isa: best,
            complaint: Some(format!(
                "PADDOCK_ISA is {wish:?}, which is no instruction set known here; using {}. Known: {}.",
                best.name(),
                names(Isa::ALL.to_vec())
            )),
        },
    }
}

/// The choice of this process, made at the first call.
pub fn choice() -> &'static Choice {
    static CHOICE: OnceLock<Choice> = OnceLock::new();
    CHOICE.get_or_init(|| choose(std::env::var("PADDOCK_ISA").ok().as_deref()))
}

/// The instruction set of this process.
pub fn chosen() -> Isa {
    choice().isa
}
