fn main(){ println!("{:?}", mistralrs::best_device(true)); }
