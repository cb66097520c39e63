#![no_main]

paddock_fuzz::decoder!(Svg);
