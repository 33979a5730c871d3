//! The `_statistics` module: the inverse of the normal distribution.

use crate::libm;
use taipan_abi::*;
use taipan_clinic::{methods, module};

/// A polynomial by its coefficients, the highest power first.
fn polynomial<const N: usize>(coefficients: [f64; N], r: f64) -> f64 {
    coefficients.into_iter().reduce(|sum, c| sum * r + c).unwrap_or(0.0)
}

/// Percentage point of the standard normal distribution: Wichura's algorithm AS 241 (1988).
fn percentage_point(p: f64) -> Option<f64> {
    if !(p > 0.0 && p < 1.0) {
        return None;
    }
    let q = p - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180625 - q * q;
        let num = polynomial(
            [
                2.5090809287301226727e+3, 3.3430575583588128105e+4, 6.7265770927008700853e+4, 4.5921953931549871457e+4,
                1.3731693765509461125e+4, 1.9715909503065514427e+3, 1.3314166789178437745e+2, 3.3871328727963666080e+0,
            ],
            r,
        ) * q;
        let den = polynomial(
            [
                5.2264952788528545610e+3, 2.8729085735721942674e+4, 3.9307895800092710610e+4, 2.1213794301586595867e+4,
                5.3941960214247511077e+3, 6.8718700749205790830e+2, 4.2313330701600911252e+1, 1.0,
            ],
            r,
        );
        return Some(num / den);
    }
    let tail = if q <= 0.0 { p } else { 1.0 - p };
    let r = (-libm::log(tail)).sqrt();
    let x = if r <= 5.0 {
        let r = r - 1.6;
        polynomial(
            [
                7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e+0,
                3.64784832476320460504e+0, 5.76949722146069140550e+0, 4.63033784615654529590e+0, 1.42343711074968357734e+0,
            ],
            r,
        ) / polynomial(
            [
                1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
                6.89767334985100004550e-1, 1.67638483018380384940e+0, 2.05319162663775882187e+0, 1.0,
            ],
            r,
        )
    } else {
        let r = r - 5.0;
        polynomial(
            [
                2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
                2.96560571828504891230e-1, 1.78482653991729133580e+0, 5.46378491116411436990e+0, 6.65790464350110377720e+0,
            ],
            r,
        ) / polynomial(
            [
                2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
                1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0,
            ],
            r,
        )
    };
    Some(if q < 0.0 { -x } else { x })
}

fn normal_dist_inv_cdf(_: (), p: f64, mu: f64, sigma: f64) -> PyResult<f64> {
    match percentage_point(p) {
        Some(x) => Ok(mu + x * sigma),
        None => bail!(PyExc_ValueError, "inv_cdf undefined for these parameters"),
    }
}

methods! {
    static METHODS = [
        "_normal_dist_inv_cdf($module, p, mu, sigma, /)" => normal_dist_inv_cdf, "Inverse of the cumulative normal distribution.";
    ];
}
module! {
    /// Entry point.
    pub fn PyInit__statistics = "_statistics", "What the statistics module needs to be quick.", methods: METHODS, exec: exec;
}
fn exec(_: Borrowed<'_>) -> PyResult<()> {
    Ok(())
}
