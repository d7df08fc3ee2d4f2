/* Constants of the approximations that every kernel table shares, so that all give the same bytes.
 *
 * The polynomials are least-maximum-error fits of our own (Lawson's iteration on Chebyshev nodes, relative error), lowest
 * power first; the number behind each is the error of the exact polynomial in units of 2^-24, before rounding.
 */
#ifndef KERNELS_COEFFICIENTS_H
#define KERNELS_COEFFICIENTS_H

/* exp(x) = 2^n * exp(r), n = nearest integer to x / ln 2. Adding and subtracting 1.5 * 2^23 rounds to an integer, which then
 * stands in the low bits. ln 2 is split so that n * LN2_HIGH is exact. Below the least argument the result is 0, above the
 * greatest it is infinite. */
#define EXP_LEAST -104.0f
#define EXP_GREATEST 89.0f
#define EXP_ROUND 0x1.8p23f
#define EXP_ROUND_BITS 0x4b400000
#define LOG2_E 0x1.715476p0f
#define LN2_HIGH 0.693359375f
#define LN2_LOW -2.12194440e-4f

/* exp(r) = 1 + r + r^2 P(r), |r| <= ln 2 / 2; 0.05 */
#define EXP_P0 0.49999994f
#define EXP_P1 0.166665196f
#define EXP_P2 0.0416683964f
#define EXP_P3 0.00836878642f
#define EXP_P4 0.0013814402f

/* log(x) = e ln 2 + log(1 + f), sqrt(1/2) <= 1 + f < sqrt 2; log(1 + f) = f - f^2/2 + f^3 P(f); 0.01 */
#define SQRT_HALF_BITS 0x3f3504f3
#define LOG_P0 0.333333135f
#define LOG_P1 -0.250000089f
#define LOG_P2 0.200021192f
#define LOG_P3 -0.166679949f
#define LOG_P4 0.142195448f
#define LOG_P5 -0.124055982f
#define LOG_P6 0.118882269f
#define LOG_P7 -0.116756186f
#define LOG_P8 0.0674645975f

/* tanh(x) = x + x^3 P(x^2) below the limit (0.07), 1 - 2 / (exp(2x) + 1) above. */
#define TANH_LIMIT 0.625f
#define TANH_P0 -0.333332807f
#define TANH_P1 0.133314431f
#define TANH_P2 -0.0537397303f
#define TANH_P3 0.020639129f
#define TANH_P4 -0.00570502924f

/* erf(x) = x + x P(x^2) below 1 (0.02); 1 - exp(-x + x Q(x)) from 1 to 4 (0.04), and 1 from there in f32. */
#define ERF_LIMIT 1.0f
#define ERF_GREATEST 4.0f
#define ERF_P0 0.128379166f
#define ERF_P1 -0.37612626f
#define ERF_P2 0.112835854f
#define ERF_P3 -0.0268538166f
#define ERF_P4 0.0051883338f
#define ERF_P5 -0.00080102426f
#define ERF_P6 7.85401062e-05f
#define ERF_Q0 -0.128480032f
#define ERF_Q1 -0.635831475f
#define ERF_Q2 -0.105116129f
#define ERF_Q3 0.0227984581f
#define ERF_Q4 -0.00318694557f
#define ERF_Q5 0.00021064312f

/* gelu(x) = max(x, 0) - s N(-s), s = |x|, N the normal distribution: 2^A(s) below the greatest s (0.65 of 2^-24, absolute), 0 from there.
 * 2^A is 2^n * 2^f, n = nearest integer to A, 2^f = P(f), |f| <= 1/2 (1.5). */
#define GELU_GREATEST 5.5f
#define GELU_A0 -1.0f
#define GELU_A1 -1.15110886f
#define GELU_A2 -0.459164321f
#define GELU_A3 -0.0526666045f
#define GELU_A4 0.00736312428f
#define GELU_A5 -0.000406979787f
#define GELU_A6 -5.76971288e-05f
#define GELU_A7 8.85841473e-06f
#define GELU_P0 1.0f
#define GELU_P1 0.693147004f
#define GELU_P2 0.240222424f
#define GELU_P3 0.0555073358f
#define GELU_P4 0.00967151299f
#define GELU_P5 0.00132647273f

/* gelu_tanh: tanh(u) = 2 sigmoid(2u) - 1, 2u = x (G1 + G3 x^2), G1 = 2 sqrt(2/pi), G3 = 0.044715 G1. */
#define GELU_TANH_G1 1.59576912f
#define GELU_TANH_G3 0.0713548163f

#endif
