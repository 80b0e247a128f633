# The rates that concrete dropout learns, from few and from many digits: the file of `variants --rates FILE`.
# gnuplot -e "rates='FILE'; picture='FILE.png'" rates.gnuplot
set terminal pngcairo size 900,560 font 'Sans,12' background 'white'
set output picture
set datafile separator "\t"
set title 'concrete dropout: the p that it learns, from few digits and from many' font ',13'
set xlabel 'step'
set ylabel 'p, mean and standard deviation over seeds'
set grid lc rgb '#dddddd'
set border 3
set tics nomirror out
set key outside right
set yrange [0:0.55]
set style fill transparent solid 0.15 noborder
set style line 1 lw 2.5 lc rgb '#1b7fc4'
set style line 2 lw 2.5 lc rgb '#e07b26'
set style line 3 lw 2.5 lc rgb '#2f9e57'
names = "'inputs, few' 'first hidden layer, few' 'second hidden layer, few' 'inputs, many' \
         'first hidden layer, many' 'second hidden layer, many'"
mean(k) = column(2 + 2 * k)
deviation(k) = column(3 + 2 * k)
plot for [k=0:5] rates using 1:(mean(k) - deviation(k)):(mean(k) + deviation(k)) with filledcurves \
         ls 1 + k % 3 notitle, \
     for [k=0:5] rates using 1:(mean(k)) with lines ls 1 + k % 3 dt 1 + k / 3 title word(names, 1 + k)
