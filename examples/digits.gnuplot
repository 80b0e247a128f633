# Draws the curves that `digits --curves FILE` wrote: gnuplot -e "curves='FILE'; picture='FILE.png'" digits.gnuplot
set terminal pngcairo size 1400,620 font "Sans,12" background "white"
set output picture
set datafile separator "\t"
set multiplot layout 1,2 title "200 digits to learn from, with and without dropout (means over seeds)" font ",15"
set xlabel "epoch"
set grid lc rgb "#dddddd"
set border 3
set tics nomirror out
set style line 1 lc rgb "#444444" lw 2.5
set style line 2 lc rgb "#1b7fc4" lw 2.5
set style line 3 lc rgb "#e07b26" lw 2.5
names = "'no dropout' 'hidden units' 'hidden units and inputs'"

set title "accuracy: held out (solid), training (dashed)"
set yrange [0.85:1.005]
set key bottom right
plot for [v=0:2] curves using 1:(column(3 + 4*v)) with lines ls v+1 title word(names, v+1), \
     for [v=0:2] curves using 1:(column(2 + 4*v)) with lines ls v+1 lw 1.5 dt 2 notitle

set title "cross-entropy of the held-out digits"
set yrange [0:0.6]
set key top right
plot for [v=0:2] curves using 1:(column(5 + 4*v)) with lines ls v+1 title word(names, v+1)
