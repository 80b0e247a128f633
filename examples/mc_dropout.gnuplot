# The mean of K thinned networks over K, with error bars, beside the network with scaled weights.
# gnuplot -e "curves='mc_dropout.tsv'; picture='mc_dropout.png'" mc_dropout.gnuplot
set terminal pngcairo size 1400,560 font 'Sans,12' background 'white'
set output picture
set multiplot layout 1,2 title 'means of K thinned networks, and the network with scaled weights' font ',15'
set logscale x 2
set xrange [0.8:80]
set xlabel 'thinned networks in the mean'
set grid lc rgb '#dddddd'
set border 3
set tics nomirror out
set key bottom right
set title 'accuracy, %'
plot curves using 1:($1 > 0 ? $2 : 1/0):3 with yerrorlines lw 2 lc rgb '#0072b2' title 'mean of K thinned', \
     '' using (1):($1 == 0 ? $2 : 1/0):(79):(0) with vectors nohead lw 2 dt 2 lc rgb '#d55e00' title 'scaled weights'
set key top right
set title 'loss'
plot curves using 1:($1 > 0 ? $4 : 1/0):5 with yerrorlines lw 2 lc rgb '#0072b2' title 'mean of K thinned', \
     '' using (1):($1 == 0 ? $4 : 1/0):(79):(0) with vectors nohead lw 2 dt 2 lc rgb '#d55e00' title 'scaled weights'
