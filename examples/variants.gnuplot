# Draws the table that `variants --table FILE` wrote: gnuplot -e "table='FILE'; picture='FILE.png'" variants.gnuplot
set terminal pngcairo size 1500,1000 font 'Sans,11' background 'white'
set output picture
set datafile separator "\t"
set multiplot title 'few digits to learn from: dropout, its variants and its alternatives in small networks' font ',15'
set grid lc rgb '#dddddd'
set border 3
set tics nomirror out
unset key
set offsets 0, 0, 0.7, 0.7
set yrange [*:*] reverse
set tmargin at screen 0.91
set bmargin at screen 0.05
colour(n) = n == 1 ? 0x1b7fc4 : n == 2 ? 0xe07b26 : n == 3 ? 0x2f9e57 : n == 4 ? 0xa03c9e : 0x555555

set lmargin at screen 0.26
set rmargin at screen 0.6
set title 'accuracy, %: mean and standard deviation over seeds'
plot table using 5:0:6:(colour($1)):ytic(2) with xerrorbars pt 7 lw 2 lc rgb variable

set lmargin at screen 0.63
set rmargin at screen 0.98
set title 'against no dropout, points: mean of pairs and its standard error'
set arrow from 0, graph 0 to 0, graph 1 nohead lc rgb '#444444'
plot table using 7:0:8:(colour($1)):ytic('') with xerrorbars pt 7 lw 2 lc rgb variable
